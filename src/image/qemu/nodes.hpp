#pragma once
// Block nodes for disks that QEMU gets as descriptors. Every driver, child and backing link is named, so QEMU follows no
// name that stands in an image.

#include <string>
#include <vector>

#include "image/qemu/worker.hpp"
#include "vmpatch/image/block_server.hpp"

namespace vmpatch::image {

/// Nodes and descriptor sets that belong together, in the order they were made.
struct NodeStack {
  std::vector<std::string> nodes;  ///< the last one is the top
  std::vector<int> fdsets;
  [[nodiscard]] const std::string& top() const { return nodes.back(); }
};

class NodeBuilder {
 public:
  explicit NodeBuilder(Worker& worker) : worker_(worker) {}

  /// Adds every layer of `chain`; the top layer is writable when `top_writable` >= 0. On an error the nodes made so far
  /// stay in `stack` for remove().
  Result<void> add_chain(NodeStack& stack, const Chain& chain, int top_writable = -1);
  /// Adds a qcow2 file of ours on the stack's top node, or without backing on an empty stack.
  Result<void> add_own(NodeStack& stack, const OwnImage& image, bool writable);
  /// Takes nodes and descriptor sets away. Goes on after an error and returns the first.
  Result<void> remove(NodeStack& stack);

 private:
  struct Source {
    Format format = Format::raw;
    bool block_device = false;
    int read_only = -1;
    int read_write = -1;  ///< -1: the node is read-only
  };
  Result<void> add(NodeStack& stack, const Source& source);
  /// The disk as it was in a snapshot of the layer.
  Result<void> add_snapshot(NodeStack& stack, const Layer& layer);

  Worker& worker_;
  int next_ = 1;
};

}  // namespace vmpatch::image
