#include "advisory/csaf_products.hpp"

#include "advisory/json_view.hpp"
#include "advisory/rpm_name.hpp"
#include "vmpatch/core/json.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::advisory {
namespace {

constexpr std::size_t most_products = 500'000;
constexpr std::size_t deepest_branch = 32;
constexpr std::size_t deepest_relationship = 8;
constexpr std::size_t most_steps = 40;
constexpr std::size_t longest_version = 256;
constexpr std::size_t longest_name = 512;

CsafPackage::Kind kind_of(std::string_view arch) {
  if (arch == "src" || arch == "nosrc" || arch == "source") return CsafPackage::Kind::source;
  return arch.empty() ? CsafPackage::Kind::unknown : CsafPackage::Kind::binary;
}

/// SUSE writes a product without a version, libjavascriptcoregtk-4_0-18, as pkg:rpm/suse/libjavascriptcoregtk@4_0-18. Its releases
/// have a dot.
bool is_cut_name(const PackageUrl& purl) {
  if (purl.type != "rpm" || (purl.name_space != "suse" && purl.name_space != "opensuse") || !purl.qualifier("arch").empty()) return false;
  const auto dash = purl.version.rfind('-');
  return !purl.version.empty() && (dash == std::string::npos || purl.version.find('.', dash) == std::string::npos);
}

/// pkg:rpmmod/redhat/ruby:2.6/ruby is the source package ruby in the module stream ruby:2.6; "" = the module itself.
std::string_view stream_in(const PackageUrl& purl) {
  const auto slash = purl.type == "rpmmod" ? purl.name_space.find('/') : std::string::npos;
  return slash == std::string::npos ? std::string_view() : std::string_view(purl.name_space).substr(slash + 1);
}

bool is_module(const PackageUrl& purl) { return purl.type == "rpmmod" && stream_in(purl).empty(); }

}  // namespace

std::string module_stream(std::string_view module) {
  const auto parts = split(module.substr(0, longest_version), ':');
  return parts.size() < 2 ? std::string(module.substr(0, longest_version)) : std::string(parts[0]) + ":" + std::string(parts[1]);
}

/// The name of a product_version branch: a version, "NAME-VERSION-RELEASE.ARCHITECTURE", or (Red Hat) the package's name alone.
void CsafProducts::read_version(const std::string& branch_name, Product& product) {
  PackageUrl& purl = *product.purl;
  const std::string_view text = trim(branch_name);
  const bool has_figure = !text.empty() && text[0] >= '0' && text[0] <= '9';
  if (text.empty() || text.size() > longest_version || text == purl.name || text.ends_with("/" + purl.name)) return;
  if (const auto parts = parse_rpm_name(text); parts && parts->name == purl.name) {
    purl.version = parts->version;
  } else if (has_figure && text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.+~^:_-") == std::string_view::npos) {
    purl.version = text;
  } else if (has_figure) {
    // "3.0.11 and later": of which versions it speaks is not understood.
    product.range = text;
  }
}

CsafProducts::Product CsafProducts::read_product(const Json& json, std::string_view branch_category, const std::string& branch_name) {
  Product product;
  product.name = text_of(json, "name").substr(0, longest_name);
  const Json& helper = member(json, "product_identification_helper");
  const std::string& purl = text_of(helper, "purl");
  if (auto parsed = parse_purl(purl)) product.purl = std::move(*parsed);
  product.has_bad_purl = !purl.empty() && !product.purl;
  const std::string& cpe = text_of(helper, "cpe");
  product.has_cpe = !cpe.empty();
  product.platform = product.has_cpe ? scope_of_cpe(cpe) : scope_of_name(product.name);
  if (branch_category == "product_version_range") product.range = branch_name.substr(0, longest_version);
  if (branch_category == "product_version" && product.purl && product.purl->version.empty() && !is_module(*product.purl)) read_version(branch_name, product);
  return product;
}

Result<void> CsafProducts::add(Product product, const std::string& id, std::map<std::string, Product, std::less<>>& products) {
  if (id.empty()) return {};
  if (products.size() >= most_products) return fail(Errc::failed, "has more than {} products", most_products);
  products.emplace(id, std::move(product));
  return {};
}

Result<void> CsafProducts::read_branches(const Json& branches, const Json& above, std::size_t depth, std::map<std::string, Product, std::less<>>& products) {
  if (depth > deepest_branch) return fail(Errc::failed, "has branches deeper than {} levels", deepest_branch);
  for (const auto& branch : items_of(branches)) {
    const Json& product = member(branch, "product");
    // A version's branch may hold one of an architecture, which holds the product.
    const bool is_version = text_of(branch, "category").starts_with("product_version");
    const Json& version = is_version ? branch : above;
    VMPATCH_CHECK(add(read_product(product, text_of(version, "category"), text_of(version, "name")), text_of(product, "product_id"), products));
    VMPATCH_CHECK(read_branches(member(branch, "branches"), version, depth + 1, products));
  }
  return {};
}

Result<CsafProducts> CsafProducts::read(const Json& product_tree) {
  CsafProducts result;
  VMPATCH_CHECK(read_branches(member(product_tree, "branches"), Json(), 0, result.products_));
  for (const auto& product : items_of(product_tree, "full_product_names")) {
    VMPATCH_CHECK(add(read_product(product, "", ""), text_of(product, "product_id"), result.products_));
  }
  for (const auto& relationship : items_of(product_tree, "relationships")) {
    const Json& name = member(relationship, "full_product_name");
    Product product = read_product(name, "", "");
    // "openssl as a component of Debian 12" is no platform: only a CPE makes it one.
    if (!product.has_cpe) product.platform.reset();
    product.is_relationship = true;
    product.component = text_of(relationship, "product_reference");
    product.base = text_of(relationship, "relates_to_product_reference");
    VMPATCH_CHECK(add(std::move(product), text_of(name, "product_id"), result.products_));
  }
  return result;
}

CsafProducts::Whole CsafProducts::resolve(const Product& product, std::size_t depth, std::size_t& steps) const {
  Whole whole;
  whole.is_relationship = product.is_relationship;
  whole.component = &product;
  whole.platform = product.platform;
  whole.is_foreign = product.has_cpe && !product.platform;
  whole.is_placed = product.platform.has_value();
  whole.range = product.range;
  if (product.purl && !stream_in(*product.purl).empty()) whole.module = module_stream(stream_in(*product.purl));
  else if (product.purl && product.purl->type == "rpmmod") whole.module = module_stream(product.purl->name + ":" + product.purl->version);
  else if (product.purl) whole.module = module_stream(product.purl->qualifier("rpmmod"));
  if (!product.is_relationship) return whole;

  const auto component = products_.find(product.component);
  const auto base = products_.find(product.base);
  // A cycle is deeper than any bound.
  if (depth >= deepest_relationship || steps < 2 || component == products_.end() || base == products_.end()) {
    whole.is_broken = true;
    return whole;
  }
  steps -= 2;
  const Whole part = resolve(component->second, depth + 1, steps);
  const Whole on = part.is_broken ? Whole() : resolve(base->second, depth + 1, steps);
  whole.is_broken = part.is_broken || on.is_broken;
  if (whole.is_broken) return whole;
  if (!product.purl) whole.component = part.component;
  whole.range = part.range;
  if (whole.module.empty()) whole.module = part.module.empty() ? on.module : part.module;
  // The combination's own CPE wins; it is rarely given. A component's says what it is, not where.
  if (product.has_cpe) return whole;
  const bool is_nested = component->second.is_relationship;
  whole.platform = on.platform || !is_nested ? on.platform : part.platform;
  const auto& container = base->second.purl;
  const bool in_image = container && container->type != "rpmmod" && !scope_of_purl(container->type, container->name_space, "");
  whole.is_foreign = (!whole.platform && (on.is_foreign || in_image)) || (is_nested && part.is_foreign);
  whole.is_placed = whole.platform.has_value() || (container && !in_image) || on.is_placed;
  whole.platform_name = on.platform_name.empty() ? base->second.name : on.platform_name;
  return whole;
}

CsafMeaning CsafProducts::from_purl(const Whole& whole) {
  const PackageUrl& purl = *whole.component->purl;
  CsafMeaning meaning;
  meaning.text = purl.name.substr(0, longest_name);
  CsafPackage& package = meaning.package;
  if (is_module(purl)) {
    meaning.kind = CsafMeaning::Kind::module;
    package.scope = whole.platform ? *whole.platform : scope_of_purl("rpm", purl.name_space, purl.qualifier("distro")).value_or(Scope());
    return meaning;
  }
  meaning.kind = CsafMeaning::Kind::other;
  const bool in_module = !stream_in(purl).empty();
  const auto own = scope_of_purl(in_module ? "rpm" : purl.type, purl.name_space.substr(0, in_module ? purl.name_space.find('/') : std::string::npos),
                                 purl.qualifier("distro"));
  if (!own) return meaning;
  package.scope = *own;
  if (whole.platform) {
    // A component of another distribution's product is none of either.
    if (!fits(own->distribution, whole.platform->distribution)) return meaning;
    if (own->release.empty()) package.scope = *whole.platform;
  }
  meaning.kind = CsafMeaning::Kind::unknown;
  if (purl.version.size() > longest_version || purl.name.size() > longest_version) return meaning;
  package.general = own->distribution == Distribution::any || is_general(package.scope.distribution);
  package.module_stream = whole.module;
  package.name = purl.name;
  package.version = purl.version;
  if (is_cut_name(purl)) {
    package.name += "-" + purl.version;
    package.version.clear();
  }
  const auto epoch = purl.qualifier("epoch");
  if (!epoch.empty() && !package.version.empty() && package.version.find(':') == std::string::npos) {
    package.version = std::string(epoch.substr(0, 10)) + ":" + package.version;
  }
  package.kind = kind_of(purl.qualifier("arch"));
  if (in_module && package.kind == CsafPackage::Kind::unknown) package.kind = CsafPackage::Kind::source;
  if (package.version.empty()) package.range = whole.range;
  meaning.kind = CsafMeaning::Kind::package;
  return meaning;
}

/// Without a package URL: the names of SUSE's and of older Red Hat documents.
CsafMeaning CsafProducts::from_name(const Whole& whole) {
  CsafMeaning meaning;
  meaning.text = whole.component->name;
  const bool is_package = whole.is_relationship && whole.platform && package_manager_of(whole.platform->distribution) == "rpm" &&
                          !whole.component->has_bad_purl && !whole.component->platform;
  if (!is_package) return meaning;
  // "ruby:2.6/ruby" is a source package in a module stream, "ubi8/httpd-24" a container image.
  const std::string_view text = whole.component->name;
  const auto slash = text.find('/');
  const bool in_module = slash != std::string_view::npos && text.substr(0, slash).find(':') != std::string_view::npos;
  if (slash != std::string_view::npos && !in_module) {
    if (text.find_first_of(" \t\r\n") == std::string_view::npos) meaning.kind = CsafMeaning::Kind::other;
    return meaning;
  }
  const auto name = parse_rpm_name(in_module ? text.substr(slash + 1) : text);
  if (!name) return meaning;
  meaning.kind = CsafMeaning::Kind::package;
  CsafPackage& package = meaning.package;
  package.scope = *whole.platform;
  package.name = name->name;
  package.version = name->version;
  package.kind = in_module && name->arch.empty() ? CsafPackage::Kind::source : kind_of(name->arch);
  package.module_stream = in_module ? module_stream(text.substr(0, slash)) : whole.module;
  if (package.version.empty()) package.range = whole.range;
  return meaning;
}

CsafMeaning CsafProducts::understand(const Whole& whole) {
  CsafMeaning meaning;
  meaning.text = whole.component->name;
  if (whole.is_broken) {
    meaning.kind = CsafMeaning::Kind::broken;
    return meaning;
  }
  if (whole.is_relationship ? whole.is_foreign : whole.is_foreign && !whole.component->purl) {
    meaning.kind = CsafMeaning::Kind::other;
    return meaning;
  }
  if (whole.is_relationship && !whole.is_placed) {
    if (!may_be_distribution(whole.platform_name)) meaning.kind = CsafMeaning::Kind::other;
    return meaning;
  }
  meaning = whole.component->purl ? from_purl(whole) : from_name(whole);
  // A release in words that are not known may be the machine's.
  if (meaning.kind == CsafMeaning::Kind::package && !is_known_release(meaning.package.scope)) meaning.kind = CsafMeaning::Kind::unknown;
  return meaning;
}

const CsafMeaning& CsafProducts::meaning(const std::string& product_id) const {
  const auto known = meanings_.find(product_id);
  if (known != meanings_.end()) return known->second;
  CsafMeaning meaning;
  std::size_t steps = most_steps;
  const auto found = products_.find(product_id);
  if (found == products_.end()) meaning.kind = CsafMeaning::Kind::broken;
  else meaning = understand(resolve(found->second, 0, steps));
  if (meaning.text.empty()) meaning.text = product_id.substr(0, longest_name);
  return meanings_.emplace(product_id, std::move(meaning)).first->second;
}

}  // namespace vmpatch::advisory
