#pragma once
// What an image must not be written for while a libvirt of this computer does not answer.

#include "inventory/references.hpp"
#include "vmpatch/inventory/source.hpp"

namespace vmpatch::inventory {

/// Fills Machine::unanswered of the bare images, from HostInventory::left. By file, not by name: a link to a machine's disk is its disk.
void note_silence(Inventory& inventory, const ChainOptions& options, const Reach& reach);

/// HostInventory::left becomes machines of its host; one may be there more than once, by each file that names it.
void join_left(Inventory& inventory);

}  // namespace vmpatch::inventory
