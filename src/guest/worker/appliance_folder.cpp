#include "guest/worker/appliance_folder.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <thread>

#include "vmpatch/core/digest.hpp"
#include "vmpatch/core/file.hpp"
#include "vmpatch/core/own_folder.hpp"
#include "vmpatch/core/format.hpp"
#include "vmpatch/core/process.hpp"

namespace vmpatch::guest::worker {
namespace {

constexpr std::chrono::seconds build_limit{900};

/// Where libguestfs keeps what the appliance is made of: guestfs(3), "SUPERMIN APPLIANCE".
Result<fs::path> find_description() {
  std::vector<fs::path> libraries{"/usr/lib64", "/usr/lib", "/usr/local/lib64", "/usr/local/lib"};
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib", error)) libraries.push_back(entry.path());
  for (const auto& library : libraries) {
    auto folder = library / "guestfs/supermin.d";
    if (fs::is_directory(folder, error)) return folder;
  }
  return fail(Errc::not_found, "there is no guestfs/supermin.d below /usr/lib: install libguestfs");
}

/// Name, size and last change of a file or folder, where it is.
void add(std::string& text, const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return;
  text += fmt::format("{} {} {} {}.{}\n", path.string(), info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

void add_all(std::string& text, const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) add(text, path);
}

/// Changes with everything that the appliance is made of. Which databases: supermin asks the same ones whether it has to build again.
std::string make_key(const fs::path& description) {
  std::string text = fmt::format("uid {}\n", ::geteuid());
  add(text, "/usr/bin/supermin");
  for (const char* database : {"/var/lib/dpkg/status", "/var/lib/rpm/rpmdb.sqlite", "/var/lib/rpm/Packages", "/var/lib/rpm/Packages.db",
                               "/usr/lib/sysimage/rpm/rpmdb.sqlite", "/usr/lib/sysimage/rpm/Packages.db", "/var/lib/pacman/local"}) {
    add(text, database);
  }
  for (const fs::path& folder : {description, fs::path("/boot"), fs::path("/lib/modules")}) add_all(text, folder);
  return sha256(text).hex();
}

/// As libguestfs calls it.
Command build_command(const fs::path& description, int folder, const std::optional<Credentials>& account) {
  // By descriptor: its account may have no way to the cache.
  constexpr int number = 9;
  const std::string here = fmt::format("/proc/self/fd/{}", number);
  struct utsname host {};
  ::uname(&host);
  constexpr rlim_t gib = 1U << 30U;
  Command command;
  command.argv = {"supermin", "--build", "--copy-kernel", "-f", "ext2", "--host-cpu", host.machine, description.string(), "-o", here + "/made"};
  command.env = std::map<std::string, std::string>{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                                                   {"LANG", "C.UTF-8"}, {"HOME", here}, {"TMPDIR", here}};
  command.run_as = account;
  command.cwd = "/";
  command.descriptors = {{folder, number}};
  command.limits = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 16 * gib}};
  command.timeout = build_limit;
  return command;
}

Result<void> build_in(const fs::path& work, const fs::path& description, const std::string& key) {
  // Of nobody else: not even a worker of before can have something open in here.
  const auto account = fresh_credentials();
  if (account && ::chown(work.c_str(), account->uid, account->gid) != 0) return errno_error(errno, work.string());
  const UniqueFd opened(::open(work.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) return errno_error(errno, work.string());
  if (auto built = run_checked(build_command(description, opened.get(), account)); !built) return built.error().in("cannot build the appliance");
  return seal_appliance(work / "made", key);
}

/// In a folder beside, which takes its place when it is whole.
Result<void> build(const fs::path& cache_dir, const fs::path& folder, const fs::path& description, const std::string& key) {
  std::string work = (cache_dir / "appliance-XXXXXX").string();
  if (::mkdtemp(work.data()) == nullptr) return errno_error(errno, fmt::format("cannot make a folder in {}", cache_dir.string()));
  auto built = build_in(work, description, key);
  if (built) built = remove_tree(folder);
  if (built && ::rename((fs::path(work) / "made").c_str(), folder.c_str()) != 0) built = errno_error(errno, folder.string());
  const auto removed = remove_tree(work);
  VMPATCH_CHECK(built);
  return removed;
}

Result<UniqueFd> wait_for_lock(const fs::path& path) {
  const auto end = std::chrono::steady_clock::now() + build_limit;
  for (;;) {
    auto lock = lock_file(path);
    if (lock || lock.error().code != Errc::busy || std::chrono::steady_clock::now() >= end) return lock;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

/// Of a process that was killed while it built, and of packages before an upgrade, under the lock. A run that began before may still be
/// about to start from one.
void sweep(const fs::path& cache_dir, const fs::path& current) {
  constexpr std::time_t day = 24 * 60 * 60;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(cache_dir, error)) {
    struct stat info {};
    if (!entry.path().filename().string().starts_with("appliance-") || entry.path() == current) continue;
    if (::lstat(entry.path().c_str(), &info) != 0 || info.st_ctime > std::time(nullptr) - day) continue;
    static_cast<void>(remove_tree(entry.path()).has_value());
  }
}

}  // namespace

Result<fs::path> ready_appliance(const fs::path& cache_dir) {
  VMPATCH_TRY(const auto description, find_description());
  VMPATCH_CHECK(make_dirs(cache_dir, 0755));
  VMPATCH_CHECK(check_own_folder(cache_dir));
  const std::string key = make_key(description);
  // By its key: a process that starts one of before finds it whole until somebody builds again.
  const auto folder = fs::absolute(cache_dir) / ("appliance-" + key.substr(0, 16));
  if (check_appliance(folder, key) == ApplianceState::good) return folder;
  VMPATCH_TRY(const auto lock, wait_for_lock(cache_dir / "appliance.lock"));
  const auto state = check_appliance(folder, key);
  if (state == ApplianceState::good) return folder;
  if (state == ApplianceState::touched) {
    VMPATCH_CHECK(seal_appliance(folder, key));
    return folder;
  }
  sweep(cache_dir, folder);
  VMPATCH_CHECK(build(fs::absolute(cache_dir), folder, description, key));
  return folder;
}

}  // namespace vmpatch::guest::worker
