#include "cli/gate/proof.hpp"

#include <chrono>
#include <thread>

#include "vmpatch/core/file.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/core/text.hpp"
#include "vmpatch/core/uuid.hpp"

namespace vmpatch::cli {
namespace {

using namespace std::chrono_literals;

constexpr int attempts = 12;

/// Files that must be gone at the end, whatever happens.
struct TemporaryFile {
  fs::path path;
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }
};

Result<CommandOutput> virsh(const std::string& uri, const std::vector<std::string>& words) {
  Command command;
  command.argv = {"virsh", "-q", "-c", uri};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.extra_env["LC_ALL"] = "C";
  command.timeout = 180s;  // the first call may make the daemon look at its QEMUs
  return run(command);
}

std::string proof_xml(const std::string& name, const std::string& uuid) {
  return fmt::format("<domain type='qemu'><name>{}</name><uuid>{}</uuid><memory unit='MiB'>16</memory><os><type>hvm</type></os></domain>\n",
                     name, uuid);
}

enum class Seen { denied, started, other };

Result<Seen> try_once(const std::string& uri, const std::string& name, const fs::path& xml, std::string& message) {
  VMPATCH_TRY(const CommandOutput output, virsh(uri, {"create", "--paused", xml.string()}));
  if (output.exit_code == 0) {
    VMPATCH_TRY(const CommandOutput destroyed, virsh(uri, {"destroy", name}));
    if (destroyed.exit_code != 0) return fail(Errc::failed, "domain {} cannot be destroyed: {}", name, escape_untrusted(trim(destroyed.err)));
    return Seen::started;
  }
  message = escape_untrusted(trim(output.err));
  return output.err.find("denied: proof: ") != std::string::npos ? Seen::denied : Seen::other;
}

}  // namespace

std::string gate_uri(const Context& context) {
  for (const std::string& uri : context.connect) {
    if (uri.rfind("qemu", 0) == 0 && uri.find("/session") == std::string::npos) return uri;
  }
  return "qemu:///system";
}

Result<void> prove_denial(const Context& context, const std::string& uri) {
  const std::string uuid = random_uuid();
  const std::string name = "vm-patch-proof-" + uuid;
  const TemporaryFile proof{context.paths.state / "gate-proof"};
  const TemporaryFile xml{context.paths.state / (name + ".xml")};
  VMPATCH_CHECK(write_file_atomic(proof.path, uuid + "\n", 0600));
  VMPATCH_CHECK(write_file_atomic(xml.path, proof_xml(name, uuid), 0600));
  for (int i = 0; i < attempts; ++i) {
    std::string message;
    VMPATCH_TRY(const Seen seen, try_once(uri, name, xml.path, message));
    if (seen == Seen::denied) return {};
    if (seen == Seen::other) return fail(Errc::failed, "the gate could not be tried on {}: {}", escape_untrusted(uri), message);
    std::this_thread::sleep_for(300ms);
  }
  return fail(Errc::failed, "{} started a domain that the gate must deny: the daemon does not call the hook; restart it (systemctl restart "
              "libvirtd, or virtqemud) and run 'vm-patch gate status'", escape_untrusted(uri));
}

}  // namespace vmpatch::cli
