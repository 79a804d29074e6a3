#pragma once
// Texts that a vulnerability of a CSAF document attaches to products: justifications (3.2.3.5 flags, 3.2.3.14 threats), remediations.

#include <map>
#include <string>
#include <string_view>

#include "vmpatch/core/json_fwd.hpp"

namespace vmpatch::advisory {

class CsafRemarks {
 public:
  /// `product_tree` must live as long as this does.
  explicit CsafRemarks(const Json& product_tree);

  /// Replaces those of the vulnerability before.
  void read(const Json& vulnerability);

  /// The first line; "" when there is none.
  [[nodiscard]] const std::string& not_affected(const std::string& product) const { return find(not_affected_, product); }
  [[nodiscard]] const std::string& affected(const std::string& product) const { return find(affected_, product); }
  [[nodiscard]] bool has_vendor_fix(const std::string& product) const { return mended_.find(product) != mended_.end(); }

 private:
  using Notes = std::map<std::string, std::string, std::less<>>;

  void add(const Json& holder, const std::string& text, Notes& notes) const;
  static const std::string& find(const Notes& notes, const std::string& product);

  std::map<std::string, const Json*> groups_;
  Notes not_affected_, affected_, mended_;
};

}  // namespace vmpatch::advisory
