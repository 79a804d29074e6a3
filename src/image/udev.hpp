#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace vmpatch::image {

/// A property that udev keeps of a block device (/run/udev/data/bMAJOR:MINOR, lines "E:KEY=VALUE"). Nothing without udev.
std::optional<std::string> udev_property(dev_t device, std::string_view key);

}  // namespace vmpatch::image
