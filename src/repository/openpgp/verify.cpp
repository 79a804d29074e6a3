#include "repository/openpgp/verify.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

#include "repository/openpgp/armor.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/private_folder.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::repository::openpgp {
namespace {

constexpr std::uint64_t max_keyring = 4U << 20U;
constexpr rlim_t cpu_seconds = 30;
/// Of the status lines, for a message may be shorter than what is said of it.
constexpr std::size_t max_status = 1U << 20U;

Result<CommandOutput> run_gpgv(const PrivateFolder& folder, std::size_t keyrings, std::size_t message_size) {
  VMPATCH_TRY(const SystemCallFilter filter, deny_escape());
  Command command;
  command.argv = {"gpgv", "--quiet", "--homedir", ".", "--status-fd", "2", "--logger-fd", "3", "--weak-digest", "SHA1", "--weak-digest", "RIPEMD160"};
  for (std::size_t i = 0; i < keyrings; ++i) {
    command.argv.emplace_back("--keyring");
    command.argv.push_back(fmt::format("./{}.gpg", i));
  }
  command.argv.insert(command.argv.end(), {"--output", "-", "./message"});
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/bin:/bin"}, {"LC_ALL", "C"}, {"HOME", "/nonexistent"}};
  command.run_as = fresh_credentials();
  VMPATCH_CHECK(folder.give_to(command.run_as));
  command.cwd = folder.path();
  // Status lines alone on the stream that is read: what a key's name says must not look like one.
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!nowhere) return errno_error(errno, "/dev/null");
  command.descriptors = {{nowhere.get(), 3}};
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_CPU, cpu_seconds}, {RLIMIT_NOFILE, 64}, {RLIMIT_FSIZE, message_size}};
  command.max_output = std::max(message_size + 1, max_status);
  command.filter = &filter;
  auto output = run(command);
  if (!output && output.error().code == Errc::not_found) return output.error().in("signatures of repositories need gpgv (Debian's package gpgv)");
  return output;
}

}  // namespace

Result<SignedText> verify_clearsigned(std::string_view message, const std::vector<std::filesystem::path>& keyrings,
                                      const std::filesystem::path& scratch) {
  if (keyrings.empty()) return fail(Errc::untrusted, "there are no keys to verify it with");
  VMPATCH_CHECK(make_dirs(scratch, 0711, Lifetime::scratch));
  VMPATCH_TRY(const auto folder, PrivateFolder::make(scratch, "gpgv-"));
  for (std::size_t i = 0; i < keyrings.size(); ++i) {
    VMPATCH_TRY(const std::string content, read_file(keyrings[i], max_keyring));
    VMPATCH_TRY(const std::string binary, binary_keyring(content, keyrings[i].string()));
    VMPATCH_CHECK(folder->write(fmt::format("{}.gpg", i), binary));
  }
  VMPATCH_CHECK(folder->write("message", message));
  VMPATCH_TRY(CommandOutput output, run_gpgv(*folder, keyrings.size(), message.size()));
  if (output.exit_code > 128) return fail(Errc::failed, "gpgv was ended by signal {}: it takes more than any honest message", output.exit_code - 128);
  VMPATCH_TRY(auto signers, good_signers(output.err));
  if (output.truncated || output.out.empty() || output.out.size() > message.size()) {
    return fail(Errc::untrusted, "what was signed cannot be told from the rest of the file");
  }
  return SignedText{std::move(output.out), std::move(signers)};
}

}  // namespace vmpatch::repository::openpgp
