#pragma once
// The product_tree of a CSAF document: which package of which distribution each product id means.

#include <map>
#include <optional>
#include <string>

#include "advisory/distribution.hpp"
#include "vmpatch/core/json.hpp"

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

class CsafProducts {
 public:
  /// Branches, full_product_names and relationships; at most 500,000 products, 32 branches deep.
  static Result<CsafProducts> read(const Json& product_tree);

  /// Null for an id that is unknown, or that is no package of a Linux distribution.
  [[nodiscard]] const CsafPackage* package(const std::string& product_id) const;

 private:
  std::map<std::string, CsafPackage, std::less<>> packages_;
};

}  // namespace vmpatch::advisory
