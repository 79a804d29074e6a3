#include "engine/early_boot.hpp"

#include <algorithm>
#include <cctype>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::engine {
namespace {

constexpr std::uint64_t max_configuration = 1U << 20U;
constexpr std::uint64_t max_grub = 4U << 20U;
constexpr const char* initramfs_tools = "/etc/initramfs-tools";
constexpr const char* dracut_folder = "/etc/dracut.conf.d";

Result<bool> is_folder(guest::Guest& guest, const std::string& path) {
  const auto info = guest.lstat(path);
  if (!info && info.error().code != Errc::not_found) return info.error();
  return info && info->kind == guest::FileKind::directory;
}

/// Which files of conf.d mkinitramfs reads: mkinitramfs(8) passes over the others without a word.
bool is_read(const std::string& name) {
  const auto is_letter = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !name.empty() && is_letter(name.front()) && name.find(".dpkg-") == std::string::npos &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || c == '.' || c == '_' || c == '-'; });
}

Result<std::vector<std::string>> read_initramfs_tools(guest::Guest& guest) {
  std::vector<std::string> files{std::string(initramfs_tools) + "/initramfs.conf"};
  for (const std::string folder : {"/usr/share/initramfs-tools/conf.d", "/etc/initramfs-tools/conf.d"}) {
    VMPATCH_TRY(const bool there, is_folder(guest, folder));
    if (!there) continue;
    VMPATCH_TRY(const auto entries, guest.list(folder));
    for (const auto& entry : entries) {
      if (is_read(entry.name)) files.push_back(fmt::format("{}/{}", folder, entry.name));
    }
  }
  std::vector<std::string> texts;
  for (const auto& file : files) {
    // A folder, or a link that leads nowhere: mkinitramfs would pass it over, too.
    auto text = guest.read(file, max_configuration);
    if (text) texts.push_back(std::move(*text));
  }
  return texts;
}

bool is_about_boot(const recipe::Recipe& recipe) {
  const auto is_boot = [](const std::string& path) { return path.starts_with("/etc/default/grub") || path.starts_with("/boot/"); };
  return std::any_of(recipe.steps.begin(), recipe.steps.end(), [&](const recipe::Step& step) {
    const auto* file = std::get_if<recipe::step::File>(&step);
    const auto* edit = std::get_if<recipe::step::Edit>(&step);
    return (file != nullptr && is_boot(file->path)) || (edit != nullptr && is_boot(edit->path));
  });
}

}  // namespace

bool asks_host(const std::vector<std::string>& configuration) {
  // Which of them comes last is not asked: to build for any computer is never wrong, only larger. So does what is not understood.
  for (const auto& text : configuration) {
    for (auto line : split(text, '\n')) {
      line = trim(line);
      if (!line.starts_with("MODULES=")) continue;
      std::string value(line.substr(8));
      std::erase_if(value, [](char c) { return c == '"' || c == '\''; });
      const auto word = trim(value);
      if (word != "most" && word != "list" && word != "netboot") return true;
    }
  }
  return false;
}

Result<AnyHost> AnyHost::force(guest::WritableGuest& guest) {
  AnyHost any;
  const std::string name = "zzzz-vm-patch-" + random_uuid();
  VMPATCH_TRY(const bool tools, is_folder(guest, std::string(initramfs_tools) + "/conf.d"));
  if (tools) {
    VMPATCH_TRY(const auto configuration, read_initramfs_tools(guest));
    if (asks_host(configuration)) {
      any.files_.push_back(fmt::format("{}/conf.d/{}", initramfs_tools, name));
      VMPATCH_CHECK(guest.write(any.files_.back(), "MODULES=most\n"));
    }
  }
  VMPATCH_TRY(const bool dracut, is_folder(guest, dracut_folder));
  if (dracut) {
    any.files_.push_back(fmt::format("{}/{}.conf", dracut_folder, name));
    VMPATCH_CHECK(guest.write(any.files_.back(), "hostonly=\"no\"\n"));
  }
  return any;
}

Result<void> AnyHost::take_back(guest::WritableGuest& guest) const {
  for (const auto& file : files_) VMPATCH_CHECK(guest.remove(file));
  return {};
}

std::vector<std::string> roots_of(std::string_view grub_cfg) {
  std::vector<std::string> roots;
  for (auto line : split(grub_cfg, '\n')) {
    line = trim(line);
    if (!line.starts_with("linux")) continue;  // also linux16, linuxefi
    for (const auto word : split(line, ' ')) {
      if (word.starts_with("root=")) roots.emplace_back(word.substr(5));
    }
  }
  return roots;
}

Result<void> check_roots(const std::vector<std::string>& before, const std::vector<std::string>& after, const recipe::Recipe& recipe) {
  const auto is_known = [&](const std::string& root) { return std::find(before.begin(), before.end(), root) != before.end(); };
  if (before.empty() || after.empty() || is_known(after.front()) || is_about_boot(recipe)) return {};
  return fail(Errc::failed, "/boot/grub/grub.cfg has root={} in its first entry now, and had root={} before the patch, so the machine may not find "
              "its disk; make /etc/default/grub of the guest write the same on any computer (no GRUB_DISABLE_LINUX_UUID)",
              escape_untrusted(after.front()), escape_untrusted(before.front()));
}

Result<std::vector<std::string>> read_roots(guest::Guest& guest) {
  const auto text = guest.read("/boot/grub/grub.cfg", max_grub);
  if (!text && text.error().code == Errc::not_found) return std::vector<std::string>();
  if (!text) return text.error();
  return roots_of(*text);
}

}  // namespace vmpatch::engine
