#pragma once
// Guests of many layouts on few disks, made by sfdisk and mke2fs.

#include <filesystem>
#include <string>

#include "unit/image/temp_dir.hpp"

namespace vmpatch::guest::test {

/// GPT: /boot (ext2, 1 KiB blocks), / (ext4, 4 KiB), /var (ext3, 4 KiB), /usr (ext4, 64bit, metadata_csum, inline_data), joined by
/// PARTUUID, LABEL and UUID. Debian-like with GRUB and merged /usr; holds an indexed folder of 20,000 entries, sparse files, and
/// chains of links.
std::filesystem::path make_gpt_guest(const image::test::TempDir& dir);

/// MBR with logical partitions: / (ext4, 1 KiB blocks, without 64bit and metadata_csum), /boot (ext3, 1 KiB), /var (ext4, 1 KiB,
/// inline_data), /usr (ext2, 4 KiB), joined by device names. Alpine-like with extlinux.
std::filesystem::path make_mbr_guest(const image::test::TempDir& dir);

inline constexpr int many_entries = 20'000;
inline constexpr const char* many_folder = "/usr/share/many";

}  // namespace vmpatch::guest::test
