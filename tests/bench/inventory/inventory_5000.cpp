// Time to list 5,000 machines of a test:/// file, each with one qcow2 disk, with lineage and JSON. Median of five.
// Usage: bench_inventory_5000 [MACHINES [real]]; with `real` every disk is a (sparse, tiny) qcow2 overlay on one base.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "vmpatch/core/json.hpp"
#include "vmpatch/core/process.hpp"
#include "vmpatch/inventory/source.hpp"

namespace {

namespace fs = std::filesystem;

void qemu_img(std::vector<std::string> words) {
  vmpatch::Command command;
  command.argv = {"qemu-img"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  if (const auto done = vmpatch::run_checked(command); !done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    std::exit(1);
  }
}

void make_images(const fs::path& folder, int count) {
  const std::string base = (folder / "base.qcow2").string();
  const std::string first = (folder / "m0.qcow2").string();
  qemu_img({"create", "-q", "-f", "qcow2", base, "1G"});
  qemu_img({"create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", first});
  for (int i = 1; i < count; ++i) fs::copy_file(first, folder / ("m" + std::to_string(i) + ".qcow2"));
}

void write_node(const fs::path& folder, int count) {
  std::ofstream out(folder / "node.xml");
  out << "<node>";
  for (int i = 0; i < count; ++i) {
    out << "<domain type='test'><name>machine" << i << "</name><memory>65536</memory><os><type>hvm</type></os><devices>"
        << "<disk type='file'><driver name='qemu' type='qcow2'/><source file='" << (folder / ("m" + std::to_string(i) + ".qcow2")).string()
        << "'/><target dev='vda' bus='virtio'/></disk><disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/></disk>"
        << "<interface type='network'><source network='default'/></interface></devices></domain>\n";
  }
  out << "</node>";
}

struct Taken {
  double wall_ms, cpu_ms;
};

Taken median(std::vector<Taken> all, double Taken::*field) {
  std::sort(all.begin(), all.end(), [&](const Taken& a, const Taken& b) { return a.*field < b.*field; });
  return all[all.size() / 2];
}

/// One listing on a new connection; exits if the listing is not whole.
Taken list_once(const std::string& uri, std::size_t count) {
  vmpatch::NullLog log;
  const auto begin = std::chrono::steady_clock::now();
  const std::clock_t cpu_begin = std::clock();
  vmpatch::inventory::Inventory inventory;
  inventory.hosts.push_back(vmpatch::inventory::make_libvirt_source(uri, log)->list());
  load_lineage(inventory, {});
  const std::string json = vmpatch::dump_json(to_json(inventory), 2);
  const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
  if (inventory.hosts[0].machines.size() != count || json.empty()) {
    std::fprintf(stderr, "%zu of %zu machines: %s\n", inventory.hosts[0].machines.size(), count, inventory.hosts[0].problem.c_str());
    std::exit(1);
  }
  return {taken.count(), 1e3 * static_cast<double>(std::clock() - cpu_begin) / CLOCKS_PER_SEC};
}

}  // namespace

int main(int argc, char** argv) {
  const int count = argc > 1 ? std::atoi(argv[1]) : 5000;
  const bool real = argc > 2 && std::string(argv[2]) == "real";
  std::string pattern = (fs::temp_directory_path() / "vm-patch-bench-XXXXXX").string();
  if (count < 1 || ::mkdtemp(pattern.data()) == nullptr) return 2;
  const fs::path folder = pattern;
  if (real) make_images(folder, count);
  write_node(folder, count);
  std::vector<Taken> times;
  for (int i = 0; i < 5; ++i) times.push_back(list_once("test://" + (folder / "node.xml").string(), static_cast<std::size_t>(count)));
  fs::remove_all(folder);
  std::printf("%d machines%s: median %.0f ms (%.0f ms of processor time)\n", count, real ? " with real chains" : "",
              median(times, &Taken::wall_ms).wall_ms, median(times, &Taken::cpu_ms).cpu_ms);
  return 0;
}
