#include "vmpatch/recipe/bundle.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "recipe/archive/tar.hpp"
#include "recipe/hashed_copy.hpp"
#include "vmpatch/core/atomic_output.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/text.hpp"

namespace vmpatch::recipe {
namespace {

constexpr std::string_view envelope_path = "recipe.dsse.json";
constexpr std::uint64_t max_envelope = 16U << 20U;

std::string member_path(const Payload& payload) { return "payloads/" + payload.sha256.hex(); }

/// Payloads of one content are one member.
std::vector<const Payload*> members_of(const Recipe& recipe) {
  std::vector<const Payload*> members;
  for (const auto& payload : recipe.payloads) {
    const bool seen = std::any_of(members.begin(), members.end(),
                                  [&](const Payload* other) { return other->sha256 == payload.sha256; });
    if (!seen) members.push_back(&payload);
  }
  return members;
}

Result<UniqueFd> open_file(const fs::path& path, std::string_view what) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return errno_error(errno, fmt::format("{} {}", what, path.string()));
  if (!S_ISREG(status.st_mode)) return fail(Errc::failed, "{} {}: not a regular file", what, path.string());
  return fd;
}

Result<trust::Envelope> read_envelope(TarReader& tar) {
  VMPATCH_TRY(const auto member, tar.next());
  if (!member || member->path != envelope_path)
    return fail(Errc::untrusted, "{}: not a bundle: its first member must be {}", tar.name(), envelope_path);
  if (member->size > max_envelope)
    return fail(Errc::untrusted, "{}: {} is larger than 16 MiB", tar.name(), envelope_path);
  std::string text(member->size, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    VMPATCH_TRY(const std::size_t got, tar.read(text.data() + filled, text.size() - filled));
    if (got == 0) return fail(Errc::untrusted, "{}: {} is cut short", tar.name(), envelope_path);
    filled += got;
  }
  return trust::parse_envelope(text, tar.name());
}

Error unexpected_member(const std::string& bundle, const TarReader::Member& found,
                        const std::vector<const Payload*>& members, std::size_t done) {
  const auto shown = escape_untrusted(found.path);
  if (found.path == envelope_path) return fail(Errc::untrusted, "{}: member '{}' occurs twice", bundle, shown);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (member_path(*members[i]) != found.path) continue;
    if (i < done) return fail(Errc::untrusted, "{}: member '{}' occurs twice", bundle, shown);
    return fail(Errc::untrusted, "{}: payload {} is missing (found '{}' in its place)", bundle, members[done]->name,
                shown);
  }
  return fail(Errc::untrusted, "{}: member '{}' is not named by the recipe", bundle, shown);
}

using Consume = std::function<Result<void>(const Payload&, const PayloadStore::Reader&)>;

/// Walks the payload members behind the envelope; they must be exactly those of the recipe, in its order.
Result<void> read_payloads(TarReader& tar, const Recipe& recipe, const Consume& consume) {
  const auto members = members_of(recipe);
  for (std::size_t i = 0; i < members.size(); ++i) {
    VMPATCH_TRY(const auto member, tar.next());
    if (!member) return fail(Errc::untrusted, "{}: payload {} is missing", tar.name(), members[i]->name);
    if (member->path != member_path(*members[i])) return unexpected_member(tar.name(), *member, members, i);
    if (member->size != members[i]->size)
      return fail(Errc::untrusted, "{}: payload {} has {} bytes, the recipe says {}", tar.name(), members[i]->name,
                  member->size, members[i]->size);
    auto consumed = consume(*members[i], [&](char* buffer, std::size_t size) { return tar.read(buffer, size); });
    if (!consumed) return consumed.error().in(tar.name());
  }
  VMPATCH_TRY(const auto more, tar.next());
  if (more) return unexpected_member(tar.name(), *more, members, members.size());
  return {};
}

/// Nothing here can mend a bundle that was damaged or changed on its way.
Error get_again(Error error) {
  if (error.code == Errc::untrusted) error.message += "; get the bundle again from its author";
  return error;
}

Result<TrustedRecipe> verify_envelope(const trust::Envelope& envelope, const trust::Keyring& keyring, Time now, const std::string& name) {
  VMPATCH_TRY(const auto verified, trust::Verifier(keyring, now).verify(envelope, trust::recipe_payload_type, name));
  VMPATCH_TRY(TrustedRecipe recipe, TrustedRecipe::parse(verified, name));
  const auto& expires = recipe.get().expires;
  if (expires && now >= *expires)
    return fail(Errc::untrusted, "{}: recipe {} expired on {}; ask its author for a newer version", name, recipe.get().id,
                format_time(*expires));
  return recipe;
}

struct ReadBundle {
  trust::Envelope envelope;
  TrustedRecipe recipe;
};

Result<ReadBundle> read_bundle(const fs::path& bundle, const trust::Keyring& keyring, Time now, const Consume& consume) {
  VMPATCH_TRY(const UniqueFd fd, open_file(bundle, "bundle"));
  VMPATCH_TRY(TarReader tar, TarReader::open(fd.get(), bundle.string()));
  auto envelope = read_envelope(tar);
  if (!envelope) return get_again(envelope.error());
  VMPATCH_TRY(TrustedRecipe recipe, verify_envelope(*envelope, keyring, now, bundle.string()));
  if (recipe.made_by_machine()) {
    return fail(Errc::untrusted, "{}: only a refresher signed it: such recipes are made by vm-patch refresh of lists that it has verified itself, and "
                "no bundle brings them; have an author sign it", bundle.string());
  }
  if (auto read = read_payloads(tar, recipe.get(), consume); !read) return get_again(read.error());
  return ReadBundle{std::move(*envelope), std::move(recipe)};
}

fs::path kept_path(const fs::path& dir, const Digest& recipe) {
  const auto hex = recipe.hex();
  return dir / "recipes" / hex.substr(0, 2) / (hex + ".dsse.json");
}

Result<void> write_member(TarWriter& tar, const std::string& path, std::string_view content) {
  VMPATCH_CHECK(tar.begin(path, content.size()));
  return tar.write(content);
}

Result<UniqueFd> find_payload_file(const Payload& payload, const std::vector<fs::path>& dirs) {
  std::string looked;
  for (const auto& dir : dirs) {
    auto fd = open_file(dir / payload.name, "payload");
    if (fd || fd.error().code != Errc::not_found) return fd;
    looked += (looked.empty() ? "" : ", ") + dir.string();
  }
  return fail(Errc::not_found, "payload {}: not found in {}; name its folder with --payloads", payload.name,
              looked.empty() ? "any folder" : looked);
}

}  // namespace

Result<void> copy_hashed(const Payload& payload, const PayloadStore::Reader& read, const Sink& sink) {
  std::vector<char> buffer(256U << 10U);
  Sha256 hash;
  std::uint64_t left = payload.size;
  while (left > 0) {
    VMPATCH_TRY(const std::size_t got, read(buffer.data(), std::min<std::uint64_t>(buffer.size(), left)));
    if (got == 0)
      return fail(Errc::untrusted, "payload {}: {} bytes are missing of the {} that the recipe says", payload.name,
                  left, payload.size);
    const std::string_view bytes(buffer.data(), got);
    hash.update(bytes);
    VMPATCH_CHECK(sink(bytes));
    left -= got;
  }
  VMPATCH_TRY(const std::size_t more, read(buffer.data(), 1));
  if (more != 0)
    return fail(Errc::untrusted, "payload {}: longer than the {} bytes that the recipe says", payload.name,
                payload.size);
  const auto digest = hash.finish();
  if (digest != payload.sha256)
    return fail(Errc::untrusted,
                "payload {}: sha256 is {}, the recipe says {}; it was changed after the recipe was made", payload.name,
                digest.hex(), payload.sha256.hex());
  return {};
}

Result<TrustedRecipe> load_bundle(const fs::path& bundle, const trust::Keyring& keyring, Time now,
                                  PayloadStore& store) {
  VMPATCH_TRY(auto read, read_bundle(bundle, keyring, now, [&](const Payload& payload, const PayloadStore::Reader& reader) {
                return store.add(payload, reader);
              }));
  VMPATCH_CHECK(store.keep_envelope(read.recipe.digest(), read.envelope));
  return std::move(read.recipe);
}

Result<TrustedRecipe> admit_envelope(const trust::Envelope& envelope, const trust::Keyring& keyring, Time now, PayloadStore& store, const std::string& name) {
  VMPATCH_TRY(TrustedRecipe recipe, verify_envelope(envelope, keyring, now, name));
  VMPATCH_CHECK(store.keep_envelope(recipe.digest(), envelope));
  return recipe;
}

Result<void> PayloadStore::keep_envelope(const Digest& recipe, const trust::Envelope& envelope) {
  const auto path = kept_path(dir_, recipe);
  VMPATCH_CHECK(make_dirs(path.parent_path()));
  return write_file_atomic(path, trust::write_envelope(envelope), 0444);
}

Result<TrustedRecipe> PayloadStore::load_kept(const Digest& recipe, const trust::Keyring& keyring, Time now) const {
  const auto path = kept_path(dir_, recipe);
  const auto text = read_file(path, max_envelope);
  if (!text && text.error().code == Errc::not_found)
    return fail(Errc::not_found, "its signed envelope is not kept here ({}); verify the machine with its bundle", path.string());
  VMPATCH_CHECK(text);
  VMPATCH_TRY(const auto envelope, trust::parse_envelope(*text, path.string()));
  VMPATCH_TRY(TrustedRecipe kept, verify_envelope(envelope, keyring, now, path.string()));
  if (kept.digest() == recipe) return kept;
  return fail(Errc::untrusted, "{}: it holds another recipe than its name says; load the bundle again", path.string());
}

Result<TrustedRecipe> verify_bundle(const fs::path& bundle, const trust::Keyring& keyring, Time now) {
  VMPATCH_TRY(auto read, read_bundle(bundle, keyring, now, [](const Payload& payload, const PayloadStore::Reader& reader) {
                return copy_hashed(payload, reader, [](std::string_view) { return Result<void>(); });
              }));
  return std::move(read.recipe);
}

Result<trust::Envelope> read_bundle_envelope(const fs::path& bundle) {
  VMPATCH_TRY(const UniqueFd fd, open_file(bundle, "bundle"));
  VMPATCH_TRY(TarReader tar, TarReader::open(fd.get(), bundle.string()));
  return read_envelope(tar);
}

Result<void> write_bundle(const fs::path& bundle, const trust::Envelope& envelope, const Recipe& recipe,
                          const std::vector<fs::path>& payload_dirs) {
  VMPATCH_TRY(AtomicOutput output, AtomicOutput::create(bundle));
  VMPATCH_TRY(TarWriter tar, TarWriter::open(output.fd(), bundle.string()));
  VMPATCH_CHECK(write_member(tar, std::string(envelope_path), trust::write_envelope(envelope)));
  for (const auto* payload : members_of(recipe)) {
    VMPATCH_TRY(const UniqueFd source, find_payload_file(*payload, payload_dirs));
    VMPATCH_CHECK(tar.begin(member_path(*payload), payload->size));
    const auto read = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
      const auto got = ::read(source.get(), buffer, size);
      if (got < 0) return errno_error(errno, fmt::format("payload {}", payload->name));
      return static_cast<std::size_t>(got);
    };
    VMPATCH_CHECK(copy_hashed(*payload, read, [&](std::string_view bytes) { return tar.write(bytes); }));
  }
  VMPATCH_CHECK(tar.finish());
  return output.commit(0644);
}

Result<void> sign_bundle(const fs::path& bundle, const trust::PrivateKey& key) {
  VMPATCH_TRY(const UniqueFd fd, open_file(bundle, "bundle"));
  VMPATCH_TRY(TarReader source, TarReader::open(fd.get(), bundle.string()));
  VMPATCH_TRY(trust::Envelope envelope, read_envelope(source));
  if (envelope.payload_type != trust::recipe_payload_type)
    return fail(Errc::untrusted, "{}: does not hold a recipe; nothing was signed", bundle.string());
  VMPATCH_TRY(const Recipe recipe, parse_unverified_recipe(envelope.payload, bundle.string()));
  VMPATCH_CHECK(trust::add_signature(envelope, key));
  VMPATCH_TRY(AtomicOutput output, AtomicOutput::create(bundle));
  VMPATCH_TRY(TarWriter tar, TarWriter::open(output.fd(), bundle.string()));
  VMPATCH_CHECK(write_member(tar, std::string(envelope_path), trust::write_envelope(envelope)));
  VMPATCH_CHECK(
      read_payloads(source, recipe, [&](const Payload& payload, const PayloadStore::Reader& read) -> Result<void> {
        VMPATCH_CHECK(tar.begin(member_path(payload), payload.size));
        return copy_hashed(payload, read, [&](std::string_view bytes) { return tar.write(bytes); });
      }));
  VMPATCH_CHECK(tar.finish());
  return output.commit(0644);
}

}  // namespace vmpatch::recipe
