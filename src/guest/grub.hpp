#pragma once
// What GRUB would start, from its configuration file (GNU GRUB manual, "Simple configuration", "Writing full configuration files
// directly"). Only what grub-mkconfig writes and people write by hand is understood: conditions are not evaluated, functions not
// called.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vmpatch/core/result.hpp"

namespace vmpatch::guest {

struct GrubEntry {
  std::string title, id;
  std::string kernel;                 ///< first word of its linux command; "" = none, e.g. another system or firmware
  std::vector<GrubEntry> submenu;     ///< not empty: a submenu
  std::string loader_entry;           ///< file of the entry that blscfg made it of; "" = the configuration itself
  bool conditional = false;           ///< inside an "if": it may be there or not
  bool is_blscfg = false;             ///< stands for the entries that blscfg puts here
};

struct GrubConfig {
  std::vector<GrubEntry> entries;
  std::string chosen = "0";           ///< value of the last `set default` that is not the one-time choice; may be ${saved_entry}
  bool one_time = false;              ///< honours next_entry of the environment block
  bool loader_entries = false;        ///< blscfg: files in /boot/loader/entries are entries too
};

/// Never fails: what is not understood is passed over. At most 10,000 entries, 8 menus deep.
GrubConfig parse_grub_config(std::string_view text);

/// Puts entries where the first blscfg stands, in this order.
void add_loader_entries(GrubConfig& config, std::vector<GrubEntry> entries);

/// name=value lines of grubenv (GRUB manual, "The GRUB environment block").
std::map<std::string, std::string> parse_grub_environment(std::string_view text);

/// What `default` means: value of next_entry, of `chosen`, or of saved_entry. "" = the first entry.
std::string grub_choice(const GrubConfig& config, const std::map<std::string, std::string>& environment);

/// The entry that a choice leads to: number, title or id, with ">" into submenus; the first one where it leads nowhere, as GRUB
/// does it. Conditional entries are counted and not counted: where only one way leads to a kernel it is that one (a menu for the
/// firmware, or for snapshots, that nobody chose by name is not what a machine starts by itself). Null when there is none, or two
/// different ones.
const GrubEntry* find_grub_entry(const GrubConfig& config, std::string_view choice);

}  // namespace vmpatch::guest
