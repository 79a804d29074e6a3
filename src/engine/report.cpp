#include "vmpatch/core/format.hpp"

#include "vmpatch/core/json.hpp"
#include "vmpatch/engine/engine.hpp"

namespace vmpatch::engine {

Json to_json(const Report& report) {
  return {{"schema", "vm-patch/report/v1"},
          {"run", report.run_id},
          {"plan", plan::to_json(report.plan)},
          {"kept_conffiles", report.kept_conffiles},
          {"checks", report.checks},
          {"changed_bytes", report.changed_bytes},
          {"duration_seconds", report.duration.count()}};
}

}  // namespace vmpatch::engine
