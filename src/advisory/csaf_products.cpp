#include "advisory/csaf_products.hpp"

#include "advisory/json_view.hpp"
#include "advisory/purl.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_products = 500'000;
constexpr std::size_t deepest = 32;
constexpr std::size_t longest_version = 256;

/// full_product_name_t, with what its branch adds.
struct Product {
  std::optional<PackageUrl> purl;
  std::optional<Scope> platform;
  std::string range;
};

using Products = std::map<std::string, Product, std::less<>>;

Product read_product(const Json& json, std::string_view branch_category, const std::string& branch_name) {
  Product product;
  const Json& helper = member(json, "product_identification_helper");
  if (const auto purl = parse_purl(text_of(helper, "purl")); purl) product.purl = *purl;
  product.platform = scope_of_cpe(text_of(helper, "cpe"));
  if (!product.platform && text_of(helper, "cpe").empty()) product.platform = scope_of_name(text_of(json, "name"));
  if (branch_category == "product_version_range") product.range = branch_name.substr(0, longest_version);
  return product;
}

Result<void> add(const Json& json, std::string_view category, const std::string& name, Products& products) {
  const std::string& id = text_of(json, "product_id");
  if (id.empty()) return {};
  if (products.size() >= most_products) return fail(Errc::failed, "has more than {} products", most_products);
  products.emplace(id, read_product(json, category, name));
  return {};
}

Result<void> read_branches(const Json& branches, std::size_t depth, Products& products) {
  if (depth > deepest) return fail(Errc::failed, "has branches deeper than {} levels", deepest);
  for (const auto& branch : items_of(branches)) {
    VMPATCH_CHECK(add(member(branch, "product"), text_of(branch, "category"), text_of(branch, "name"), products));
    VMPATCH_CHECK(read_branches(member(branch, "branches"), depth + 1, products));
  }
  return {};
}

/// rpmmod=perl:5.32:8100020240615120000:f5d5b8e3 is of the stream perl:5.32.
std::string stream_of(std::string_view module) {
  const auto parts = split(module.substr(0, longest_version), ':');
  return parts.size() < 2 ? std::string(module.substr(0, longest_version)) : std::string(parts[0]) + ":" + std::string(parts[1]);
}

std::optional<CsafPackage> make_package(const Product& component, const std::optional<Scope>& platform) {
  if (!component.purl || component.purl->version.size() > longest_version || component.purl->name.size() > longest_version) return std::nullopt;
  const PackageUrl& purl = *component.purl;
  const auto own = scope_of_purl(purl.type, purl.name_space, purl.qualifier("distro"));
  if (!own) return std::nullopt;
  CsafPackage package;
  package.scope = *own;
  if (platform) {
    // A component of another distribution's product is none of either.
    if (!fits(own->distribution, platform->distribution)) return std::nullopt;
    if (own->release.empty()) package.scope = *platform;
  }
  package.general = own->distribution == Distribution::any || is_general(package.scope.distribution);
  package.module_stream = stream_of(purl.qualifier("rpmmod"));
  package.name = purl.name;
  package.version = purl.version;
  const auto epoch = purl.qualifier("epoch");
  if (!epoch.empty() && !package.version.empty() && package.version.find(':') == std::string::npos) {
    package.version = std::string(epoch.substr(0, 10)) + ":" + package.version;
  }
  const auto arch = purl.qualifier("arch");
  if (arch == "src" || arch == "source") package.kind = CsafPackage::Kind::source;
  else if (!arch.empty()) package.kind = CsafPackage::Kind::binary;
  if (package.version.empty()) package.range = component.range;
  return package;
}

/// A product whose CPE names something else than a known distribution (an add-on, a long-term stream) must not count as the
/// distribution itself.
bool is_foreign(const Json& helper, const std::optional<Scope>& scope) {
  return !text_of(helper, "cpe").empty() && !scope;
}

}  // namespace

Result<CsafProducts> CsafProducts::read(const Json& product_tree) {
  Products products;
  VMPATCH_CHECK(read_branches(member(product_tree, "branches"), 0, products));
  for (const auto& product : items_of(product_tree, "full_product_names")) VMPATCH_CHECK(add(product, "", "", products));
  CsafProducts result;
  for (const auto& [id, product] : products) {
    if (auto package = make_package(product, product.platform)) result.packages_.emplace(id, std::move(*package));
  }
  for (const auto& relationship : items_of(product_tree, "relationships")) {
    const Json& name = member(relationship, "full_product_name");
    const auto component = products.find(text_of(relationship, "product_reference"));
    const auto platform = products.find(text_of(relationship, "relates_to_product_reference"));
    if (component == products.end() || platform == products.end()) continue;
    // The combination's own helper wins; it is rarely given.
    Product product = read_product(name, "", "");
    if (!product.purl) product.purl = component->second.purl;
    product.range = component->second.range;
    std::optional<Scope> scope = product.platform ? product.platform : platform->second.platform;
    if (is_foreign(member(name, "product_identification_helper"), product.platform)) continue;
    if (!scope && !platform->second.purl) continue;
    if (result.packages_.size() >= most_products) return fail(Errc::failed, "has more than {} products", most_products);
    auto package = make_package(product, scope);
    // The older form: a component of pkg:rpmmod/redhat/perl@5.32:8100020240615120000:f5d5b8e3.
    const auto& module = platform->second.purl;
    if (package && module && module->type == "rpmmod" && package->module_stream.empty()) {
      package->module_stream = stream_of(module->name + ":" + module->version);
    }
    if (package) result.packages_.emplace(text_of(name, "product_id"), std::move(*package));
  }
  return result;
}

const CsafPackage* CsafProducts::package(const std::string& product_id) const {
  const auto found = packages_.find(product_id);
  return found == packages_.end() ? nullptr : &found->second;
}

}  // namespace vmpatch::advisory
