#include "vmpatch/image/extents.hpp"

#include <libnbd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>

#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::image {
namespace {

/// A question about every part of a disk (NBD_OPT_SET_META_CONTEXT), and which answers count.
struct Question {
  const char* context;
  bool (*counts)(std::uint32_t answer);
  const char* untold;  ///< what an export that does not answer it does not tell
};
constexpr Question is_held{"qemu:allocation-depth", [](std::uint32_t depth) { return depth == 1; }, "which clusters its top image holds"};
// NBD_STATE_ZERO
constexpr Question is_data{"base:allocation", [](std::uint32_t flags) { return (flags & 2U) == 0; }, "what of it are zeros"};
constexpr std::uint64_t chunk_size = 4U << 20U;
// One status request; 32-bit lengths in the protocol.
constexpr std::uint64_t status_window = 1ULL << 30U;

struct Close {
  void operator()(nbd_handle* handle) const { nbd_close(handle); }
};
using Handle = std::unique_ptr<nbd_handle, Close>;

Error nbd_error(const NbdExport& disk, std::string_view what) {
  const char* reason = nbd_get_error();
  return fail(Errc::failed, "{} export {}: {}", what, escape_untrusted(disk.name),
              escape_untrusted(reason == nullptr ? "no reason given" : reason));
}

Result<Handle> connect(const NbdExport& disk, const char* meta_context) {
  Handle nbd(nbd_create());
  if (!nbd) return nbd_error(disk, "prepare a connection to");
  const bool ready = nbd_set_export_name(nbd.get(), disk.name.c_str()) == 0 &&
                     (meta_context == nullptr || nbd_add_meta_context(nbd.get(), meta_context) == 0) &&
                     nbd_connect_unix(nbd.get(), disk.socket.c_str()) == 0;
  if (!ready) return nbd_error(disk, "connect to");
  const std::int64_t size = nbd_get_size(nbd.get());
  if (size < 0 || static_cast<std::uint64_t>(size) != disk.size) {
    return fail(Errc::failed, "export {} has {} bytes instead of {}", escape_untrusted(disk.name), size, disk.size);
  }
  return nbd;
}

/// One connected disk and the chunk that was read last.
struct Reader {
  const NbdExport* disk;
  Handle nbd;
  std::vector<char> bytes;

  static Result<Reader> open(const NbdExport& disk) {
    VMPATCH_TRY(Handle nbd, connect(disk, nullptr));
    return Reader{&disk, std::move(nbd), {}};
  }
  Result<void> read(std::uint64_t offset, std::uint64_t length) {
    bytes.resize(length);
    if (nbd_pread(nbd.get(), bytes.data(), bytes.size(), offset, 0) != 0) return nbd_error(*disk, "read");
    return {};
  }
};

/// Calls `step(offset, length)` for pieces of at most one chunk, and tells the progress.
template <class Step>
Result<void> for_each_chunk(const std::vector<Extent>& extents, const Progress& progress, Step step) {
  const std::uint64_t total = total_length(extents);
  std::uint64_t passed = 0;
  for (const Extent& extent : extents) {
    for (std::uint64_t done = 0; done < extent.length;) {
      const std::uint64_t length = std::min(chunk_size, extent.length - done);
      VMPATCH_CHECK(step(extent.offset + done, length));
      done += length;
      passed += length;
      if (progress) progress(passed, total);
    }
  }
  return {};
}

constexpr std::uint64_t sector_size = 512;

/// One sector of each; `third` may be null.
struct Sectors {
  const char* disk;
  const char* first;
  const char* second;
  const char* third;
};

void relate_sector(const Sectors& at, std::uint64_t offset, Relation& relation) {
  static constexpr std::array<char, sector_size> zeros{};
  const auto as = [&](const char* other) { return std::memcmp(at.disk, other, sector_size) == 0; };
  const bool as_first = as(at.first);
  const bool as_second = as(at.second);
  if (as_first || as_second) {
    (as_first && as_second ? relation.as_both : as_first ? relation.as_first : relation.as_second) += sector_size;
    return;
  }
  if (at.third != nullptr && as(at.third)) {
    relation.as_third += sector_size;
    return;
  }
  if (!relation.first_other) relation.first_other = offset;
  (as(zeros.data()) ? relation.zero : relation.none) += sector_size;
}

struct Collector {
  const Question& question;
  std::vector<Extent> extents;
  std::uint64_t next = 0;  ///< end of what has been reported
  std::uint64_t end = 0;   ///< of the disk

  void add(std::uint64_t length, bool held) {
    // QEMU may report beyond what was asked for, never beyond the disk; a forged answer is cut.
    length = std::min(length, end - next);
    if (held && !extents.empty() && extents.back().offset + extents.back().length == next) {
      extents.back().length += length;
    } else if (held && length > 0) {
      extents.push_back({next, length});
    }
    next += length;
  }
};

int collect(void* data, const char* context, std::uint64_t /*offset*/, std::uint32_t* entries, std::size_t count,
            int* /*error*/) {
  auto& collector = *static_cast<Collector*>(data);
  if (std::strcmp(context, collector.question.context) != 0) return 0;
  for (std::size_t i = 0; i + 1 < count; i += 2) collector.add(entries[i], collector.question.counts(entries[i + 1]));
  return 0;
}

Result<std::vector<Extent>> ask(const NbdExport& disk, const Question& question) {
  VMPATCH_TRY(const Handle nbd, connect(disk, question.context));
  if (nbd_can_meta_context(nbd.get(), question.context) != 1) {
    return fail(Errc::unsupported, "export {} does not tell {}", escape_untrusted(disk.name), question.untold);
  }
  Collector collector{question, {}, 0, disk.size};
  while (collector.next < collector.end) {
    const std::uint64_t before = collector.next;
    const nbd_extent_callback callback{collect, &collector, nullptr};
    const std::uint64_t length = std::min(status_window, collector.end - before);
    if (nbd_block_status(nbd.get(), length, before, callback, 0) != 0) return nbd_error(disk, "read the clusters of");
    if (collector.next == before) {
      return fail(Errc::failed, "export {} told nothing about offset {}", escape_untrusted(disk.name), before);
    }
  }
  return std::move(collector.extents);
}

}  // namespace

Result<std::vector<Extent>> held_extents(const NbdExport& overlay) { return ask(overlay, is_held); }

Result<std::vector<Extent>> data_extents(const NbdExport& disk) { return ask(disk, is_data); }

Result<void> copy_extents(const NbdExport& from, const NbdExport& to, const std::vector<Extent>& extents,
                          const Progress& progress) {
  VMPATCH_TRY(Reader source, Reader::open(from));
  VMPATCH_TRY(const Handle target, connect(to, nullptr));
  VMPATCH_CHECK(for_each_chunk(extents, progress, [&](std::uint64_t offset, std::uint64_t length) -> Result<void> {
    VMPATCH_CHECK(source.read(offset, length));
    if (nbd_pwrite(target.get(), source.bytes.data(), length, offset, 0) != 0) return nbd_error(to, "write");
    return {};
  }));
  if (nbd_flush(target.get(), 0) != 0) return nbd_error(to, "flush");
  if (nbd_shutdown(target.get(), 0) != 0) return nbd_error(to, "disconnect from");
  return {};
}

Result<void> compare_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents) {
  VMPATCH_TRY(Reader first, Reader::open(a));
  VMPATCH_TRY(Reader second, Reader::open(b));
  return for_each_chunk(extents, {}, [&](std::uint64_t offset, std::uint64_t length) -> Result<void> {
    VMPATCH_CHECK(first.read(offset, length));
    VMPATCH_CHECK(second.read(offset, length));
    const auto [at, other] = std::mismatch(first.bytes.begin(), first.bytes.end(), second.bytes.begin());
    if (at == first.bytes.end()) return {};
    return fail(Errc::failed, "exports {} and {} differ at offset {}", escape_untrusted(a.name), escape_untrusted(b.name),
                offset + static_cast<std::uint64_t>(at - first.bytes.begin()));
  });
}

Result<std::vector<Extent>> differing_extents(const NbdExport& a, const NbdExport& b, const std::vector<Extent>& extents) {
  constexpr std::uint64_t block = 4096;
  VMPATCH_TRY(Reader first, Reader::open(a));
  VMPATCH_TRY(Reader second, Reader::open(b));
  std::vector<Extent> found;
  VMPATCH_CHECK(for_each_chunk(extents, {}, [&](std::uint64_t offset, std::uint64_t length) -> Result<void> {
    VMPATCH_CHECK(first.read(offset, length));
    VMPATCH_CHECK(second.read(offset, length));
    for (std::uint64_t at = 0; at < length; at += block) {
      const std::uint64_t size = std::min(block, length - at);
      if (std::memcmp(first.bytes.data() + at, second.bytes.data() + at, size) == 0) continue;
      if (!found.empty() && found.back().offset + found.back().length == offset + at) {
        found.back().length += size;
      } else {
        found.push_back({offset + at, size});
      }
    }
    return {};
  }));
  return found;
}

Result<Relation> relate_extents(const NbdExport& disk, const NbdExport& first, const NbdExport& second, const NbdExport* third,
                                const std::vector<Extent>& extents, const Progress& progress) {
  VMPATCH_TRY(Reader middle, Reader::open(disk));
  VMPATCH_TRY(Reader one, Reader::open(first));
  VMPATCH_TRY(Reader other, Reader::open(second));
  std::optional<Reader> last;
  if (third != nullptr) {
    VMPATCH_TRY(last, Reader::open(*third));
  }
  Relation relation;
  VMPATCH_CHECK(for_each_chunk(extents, progress, [&](std::uint64_t offset, std::uint64_t length) -> Result<void> {
    VMPATCH_CHECK(middle.read(offset, length));
    VMPATCH_CHECK(one.read(offset, length));
    VMPATCH_CHECK(other.read(offset, length));
    if (last) VMPATCH_CHECK(last->read(offset, length));
    for (std::uint64_t at = 0; at < length; at += sector_size) {
      relate_sector({middle.bytes.data() + at, one.bytes.data() + at, other.bytes.data() + at, last ? last->bytes.data() + at : nullptr},
                    offset + at, relation);
    }
    return {};
  }));
  return relation;
}

Result<std::vector<PieceDigest>> digest_extents(const NbdExport& disk, const std::vector<Extent>& extents, const Progress& progress) {
  VMPATCH_TRY(Reader reader, Reader::open(disk));
  std::vector<PieceDigest> digests;
  VMPATCH_CHECK(for_each_chunk(extents, progress, [&](std::uint64_t offset, std::uint64_t length) -> Result<void> {
    VMPATCH_CHECK(reader.read(offset, length));
    for (std::uint64_t at = 0; at < length;) {
      const std::uint64_t end = std::min(length, (offset + at) / digest_piece * digest_piece + digest_piece - offset);
      digests.push_back({{offset + at, end - at}, sha256({reader.bytes.data() + at, end - at})});
      at = end;
    }
    return {};
  }));
  return digests;
}

}  // namespace vmpatch::image
