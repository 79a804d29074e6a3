#pragma once
// The product_tree of a CSAF document: which package of which distribution each product id means.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "advisory/distribution.hpp"
#include "advisory/purl.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::advisory {

/// A product that is a package.
struct CsafPackage {
  Scope scope;
  std::string name;
  std::string version;  ///< with its epoch; "" = every version
  enum class Kind { unknown, source, binary } kind = Kind::unknown;
  bool general = false;       ///< names no distribution itself: pkg:generic, pkg:deb/NAME
  std::string module_stream;  ///< of rpm: "perl:5.32"; "" = of none
  std::string range;    ///< name of a product_version_range branch, when the product has no version
};

/// What a product id stands for.
struct CsafMeaning {
  enum class Kind : std::uint8_t {
    package,
    other,    ///< something that is no package of a known distribution's own product: an add-on, a container image, an appliance
    module,   ///< a module stream as a whole: its packages are products of their own
    unknown,  ///< not understood; what it calls itself may tell whether it matters
    broken    ///< a reference to nothing, or to itself: it may be anything
  } kind = Kind::unknown;
  CsafPackage package;  ///< of a module: only the scope
  std::string text;     ///< name of the package or the product; hostile
  mutable std::optional<bool> may_be_installed;  ///< once it was asked for
};

class CsafProducts {
 public:
  /// Branches, full_product_names and relationships, in whatever order; at most 500,000 products, 32 branches deep.
  static Result<CsafProducts> read(const Json& product_tree);

  /// A product of a relationship may be part of another relationship, at most 8 deep: a package of a module of a platform.
  [[nodiscard]] const CsafMeaning& meaning(const std::string& product_id) const;

 private:
  /// full_product_name_t, with what its branch or its relationship adds.
  struct Product {
    std::string name;
    std::optional<PackageUrl> purl;
    std::optional<Scope> platform;
    bool has_cpe = false;
    bool has_bad_purl = false;
    bool is_relationship = false;
    std::string range;
    std::string component, base;  ///< of a relationship: ids
  };
  /// A product with all that its relationships add to it.
  struct Whole {
    const Product* component = nullptr;  ///< who names the package
    std::string range;
    std::optional<Scope> platform;
    bool is_relationship = false;
    bool is_foreign = false;    ///< a product, or on one, that is no known distribution
    bool is_placed = false;     ///< on something that is told, if only a module
    bool is_broken = false;
    std::string module;
    std::string platform_name;  ///< where the platform is not understood
  };

  static Product read_product(const Json& json, std::string_view branch_category, const std::string& branch_name);
  static Result<void> add(Product product, const std::string& id, std::map<std::string, Product, std::less<>>& products);
  static void read_version(const std::string& branch_name, Product& product);
  /// `above`: the branch of a version that these are in.
  static Result<void> read_branches(const Json& branches, const Json& above, std::size_t depth, std::map<std::string, Product, std::less<>>& products);
  /// `steps`: how many more products may be looked at, so that branching references stay cheap.
  [[nodiscard]] Whole resolve(const Product& product, std::size_t depth, std::size_t& steps) const;
  [[nodiscard]] static CsafMeaning understand(const Whole& whole);
  [[nodiscard]] static CsafMeaning from_purl(const Whole& whole);
  [[nodiscard]] static CsafMeaning from_name(const Whole& whole);

  std::map<std::string, Product, std::less<>> products_;
  mutable std::map<std::string, CsafMeaning, std::less<>> meanings_;  ///< as they are asked for
};

/// rpmmod=perl:5.32:8100020240615120000:f5d5b8e3 is of the stream perl:5.32.
std::string module_stream(std::string_view module);

}  // namespace vmpatch::advisory
