#pragma once
// What a guest's files are now, asked at the place where a step writes them: never through a link that others than root control.

#include "engine/archive/contents.hpp"
#include "engine/findings.hpp"
#include "vmpatch/guest/place.hpp"
#include "vmpatch/recipe/recipe.hpp"

namespace vmpatch::engine {

class FileQuestions {
 public:
  FileQuestions(guest::Guest& guest, Findings& findings) : guest_(guest), places_(guest), findings_(findings) {}

  /// Root's links are followed.
  Result<void> ask(const recipe::check::File& check);
  /// A regular file at this very path.
  Result<void> ask_written(const recipe::check::File& check);
  /// Nothing at this very path; `findings.removals` tells of a folder that would go.
  Result<void> ask_removed(const recipe::step::File& step);
  /// What a later step makes again there, or below it: `findings.removals` tells. `at_its_place`: there, so that no folder can stay.
  Result<void> ask_replaced(const recipe::step::File& step, bool at_its_place);
  Result<void> ask_unpacked(const recipe::step::Unarchive& step, const std::vector<ArchiveEntry>& entries);
  /// Nothing where the way there is refused, which is a finding then.
  Result<std::optional<guest::Place>> find(const std::string& path, guest::LastLink last);

 private:
  Result<void> tell_removal(const recipe::step::File& step, const guest::Place& place);
  Result<void> ask_there(const recipe::check::File& check, const guest::Place& place);
  Result<void> ask_content(const recipe::check::File& check, const std::string& real);
  Result<void> ask_attributes(const recipe::check::File& check, const guest::FileStat& stat);
  Result<bool> is_as_packed(const guest::Place& place, const ArchiveEntry& entry);

  guest::Guest& guest_;
  guest::Places places_;
  Findings& findings_;
};

/// Why a step must not remove what is there: a folder goes only where the recipe says that it is one. Nothing: it may.
std::optional<std::string> not_to_remove(const recipe::step::File& step, guest::FileKind kind);

/// "a symbolic link", "a folder", …
std::string_view word(guest::FileKind kind);

}  // namespace vmpatch::engine
