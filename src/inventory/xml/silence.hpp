#pragma once

namespace vmpatch::inventory::xml {

/// This thread's libxml2 prints nothing, whoever else uses it here: libvirt's test driver does.
void silence_libxml2();

}  // namespace vmpatch::inventory::xml
