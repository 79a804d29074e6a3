// Runs a fuzz target over every file of a corpus folder, and over each file cut at every length and with every byte of
// its beginning changed. An empty corpus is an error: the test would prove nothing.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t dense = 1024;

std::size_t run_mutations(Bytes bytes) {
  LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  std::size_t runs = 1;
  const std::size_t edge = std::min(bytes.size(), dense);
  for (std::size_t length = 0; length < edge; ++length, ++runs) {
    // An own buffer of that length, so that a sanitizer sees a read behind the end.
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<Bytes::difference_type>(length));
    LLVMFuzzerTestOneInput(cut.data(), cut.size());
  }
  constexpr std::array<std::uint8_t, 6> flips{0x01, 0x04, 0x10, 0x7f, 0x80, 0xff};
  for (std::size_t at = 0; at < edge; ++at) {
    const std::uint8_t original = bytes[at];
    for (const auto flip : flips) {
      bytes[at] = static_cast<std::uint8_t>(original ^ flip);
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
      ++runs;
    }
    bytes[at] = original;
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
    return 2;
  }
  std::size_t files = 0;
  std::size_t runs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
    std::ifstream in(entry.path(), std::ios::binary);
    runs += run_mutations(Bytes(std::istreambuf_iterator<char>(in), {}));
    ++files;
  }
  std::printf("%zu inputs of %zu files\n", runs, files);
  return files > 0 ? 0 : 1;
}
