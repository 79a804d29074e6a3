#include "vmpatch/advisory/database.hpp"

#include "vmpatch/core/format.hpp"

namespace vmpatch::advisory {

struct Database::State {
  Interest interest;
};

void Interest::add(const guest::Facts& facts) {
  for (const auto& package : facts.packages) {
    if (!package.installed()) continue;
    packages.insert(package.name);
    packages.insert(package.source);
  }
}

Database::Database(Interest interest) : state_(std::make_unique<State>(State{std::move(interest)})) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<FeedState> Database::load(const FeedFile& feed) {
  return fail(Errc::unsupported, "{}: feeds of kind {} cannot be read", feed.origin, to_string(feed.kind));
}

Result<std::vector<Finding>> Database::match(const guest::Facts& facts) const {
  return fail(Errc::unsupported, "no loaded feed speaks of {} {}", facts.os.id, facts.os.version_id);
}

std::shared_ptr<const Advisory> Database::find(std::string_view) const { return nullptr; }

}  // namespace vmpatch::advisory
