#pragma once
// Who uses an image now: for runs that are ended without anybody having named their machine.

#include <vector>

#include "vmpatch/fleet/invocation.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::fleet {

/// The local hosts' machines that have one of these images as a disk, and the images themselves as bare machines, all with lineage.
/// Of a libvirt that does not answer, as when the computer starts, those that its folders name. Errc::busy: what is in them cannot be
/// told, and not `without_libvirt`.
Result<std::vector<inventory::Machine>> find_image_users(const Invocation& invocation, const std::vector<inventory::BareImage>& images,
                                                         bool without_libvirt);

}  // namespace vmpatch::fleet
