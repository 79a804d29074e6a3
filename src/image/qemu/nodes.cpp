#include "image/qemu/nodes.hpp"

#include <optional>

#include "image/open_file.hpp"
#include "vmpatch/core/json.hpp"

namespace vmpatch::image {

Result<void> NodeBuilder::add(NodeStack& stack, const Source& source) {
  const int id = next_++;
  stack.fdsets.push_back(id);
  const Json set{{"fdset-id", id}};
  VMPATCH_CHECK(worker_.execute("add-fd", set, source.read_only));
  const bool writable = source.read_write >= 0;
  if (writable) {
    VMPATCH_CHECK(worker_.execute("add-fd", set, source.read_write));
  }

  // locking off: the locks are ours (locks.hpp), and QEMU's would collide with them. What is QEMU's default (no
  // auto-read-only, no detect-zeroes) is not said: its monitor reads byte by byte, with seven system calls each.
  Json file{{"driver", source.block_device ? "host_device" : "file"},
            {"filename", fmt::format("/dev/fdset/{}", id)},
            {"locking", "off"},
            {"read-only", !writable}};
  const std::string name = fmt::format("node{}", id);
  Json node{{"driver", to_string(source.format)}, {"node-name", name}, {"read-only", !writable}};
  if (writable) file["discard"] = node["discard"] = "unmap";
  node["file"] = std::move(file);
  if (source.format == Format::qcow2) {
    node["backing"] = stack.nodes.empty() ? Json(nullptr) : Json(stack.top());
    // A killed commit must not leave the dirty bit behind: the header screen would refuse the redo.
    if (writable) node["lazy-refcounts"] = false;
  }
  VMPATCH_CHECK(worker_.execute("blockdev-add", node));
  stack.nodes.push_back(name);
  return {};
}

Result<void> NodeBuilder::add_snapshot(NodeStack& stack, const Layer& layer) {
  const Json backing = stack.nodes.empty() ? Json(nullptr) : Json(stack.top());
  VMPATCH_CHECK(add(stack, {Format::raw, layer.block_device, layer.fd.get(), -1}));
  VMPATCH_CHECK(add(stack, {Format::qcow2, false, layer.snapshot_view.get(), -1}));
  const std::string name = fmt::format("node{}", next_++);
  VMPATCH_CHECK(worker_.execute("blockdev-add", Json{{"driver", "qcow2"}, {"node-name", name}, {"read-only", true},
                                                     {"file", stack.top()}, {"backing", backing}}));
  stack.nodes.push_back(name);
  return {};
}

Result<void> NodeBuilder::add_chain(NodeStack& stack, const Chain& chain, int top_writable) {
  for (auto layer = chain.layers().rbegin(); layer != chain.layers().rend(); ++layer) {
    const bool top = &*layer == &chain.top();
    const Source source{layer->format, layer->block_device, layer->fd.get(), top ? top_writable : -1};
    auto added = layer->snapshot_view ? add_snapshot(stack, *layer) : add(stack, source);
    if (!added) return added.error().in("image " + shown(layer->path));
  }
  return {};
}

Result<void> NodeBuilder::add_own(NodeStack& stack, const OwnImage& image, bool writable) {
  const Source source{Format::qcow2, false, image.read_only.get(), writable ? image.read_write.get() : -1};
  if (auto added = add(stack, source); !added) return added.error().in("image " + shown(image.path));
  return {};
}

Result<void> NodeBuilder::remove(NodeStack& stack) {
  std::optional<Error> first;
  const auto note = [&](const auto& result) {
    if (!result && !first) first = result.error();
  };
  for (auto node = stack.nodes.rbegin(); node != stack.nodes.rend(); ++node) {
    note(worker_.execute("blockdev-del", Json{{"node-name", *node}}));
  }
  for (const int id : stack.fdsets) note(worker_.execute("remove-fd", Json{{"fdset-id", id}}));
  stack = NodeStack{};
  if (first) return *first;
  return {};
}

}  // namespace vmpatch::image
