#include "agent/rebuild.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include <fmt/format.h>

#include "agent/catalog/catalog.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/release_closure.h"
#include "common/store/rocks_state.h"

namespace farboot {
namespace {

/// What is written must be the daemon's, which is not root.
Result<void> become_owner(const std::string& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0)
    return fail(Errc::not_found, "{}: {}; state_dir in the settings says where the agent keeps it",
                folder, std::strerror(errno));
  if (::geteuid() != 0 || facts.st_uid == 0) return {};
  if (::setgroups(0, nullptr) != 0 || ::setgid(facts.st_gid) != 0 || ::setuid(facts.st_uid) != 0)
    return fail(Errc::denied, "{}: cannot act as its owner: {}", folder, std::strerror(errno));
  return {};
}

/// The way out of a database that no repetition will read.
Error move_away(const Error& error, const std::string& folder) {
  return fail(error.code,
              "{}; move {} away and repeat this: the content is read from the packs, all else "
              "comes from the controller",
              error.what, folder);
}

Result<std::unique_ptr<Database>> open_database(const std::string& folder) {
  auto database = Database::open(folder);
  if (database) return database;
  const Error& error = database.error();
  if (error.code == Errc::conflict)
    return fail(Errc::conflict, "{}; the agent runs: stop it first (systemctl stop farboot-agent)",
                error.what);
  if (error.code == Errc::denied || error.code == Errc::exhausted) return error;
  // With CURRENT it is whole, but of a newer version; without, a broken card has lost that file.
  std::error_code unseen;
  if (error.code == Errc::invalid &&
      std::filesystem::exists(std::filesystem::path(folder) / "CURRENT", unseen))
    return error;
  return move_away(error, folder);
}

/// How much of the active release there is.
Result<std::string> release_text(const ContentStore& content, StateStore& state) {
  const auto stored = Catalog(content, state).stored();
  if (!stored) return stored.error();
  if (!stored->active)
    return std::string(
        "no release is known here: the agent serves again once it has heard of its controller, and "
        "fetches only what the packs do not hold\n");
  const auto release = decode_release(stored->active->document);
  if (!release) return release.error();
  const auto needed = release_closure(content, release->manifests());
  if (!needed)
    return fmt::format("r{} is active and not whole: {}; it is fetched from the controller\n",
                       release->number, needed.error().what);
  std::vector<Digest> ids;
  for (const ChunkRef& chunk : *needed) ids.push_back(chunk.id);
  const auto missing = content.missing(ids);
  if (!missing) return missing.error();
  if (missing->empty()) return fmt::format("r{} is active and whole\n", release->number);
  return fmt::format(
      "r{} is active and lacks {} of {} chunks, which are fetched from the controller\n",
      release->number, missing->size(), ids.size());
}

}  // namespace

Result<std::string> rebuild_store(const AgentConfig& config) {
  if (auto owner = become_owner(config.state_dir); !owner) return owner.error();
  std::error_code error;
  if (!std::filesystem::is_directory(config.packs_folder(), error))
    return fail(Errc::not_found, "{}: is not there: nothing to rebuild from",
                config.packs_folder());
  auto database = open_database(config.database_folder());
  if (!database) return database.error();
  const auto rebuilt = PackStore::rebuild(**database, config.packs_folder());
  const auto way_out = [&](const Error& what) {
    return what.code == Errc::corrupt ? move_away(what, config.database_folder()) : what;
  };
  if (!rebuilt && rebuilt.error().code == Errc::corrupt) return way_out(rebuilt.error());
  if (!rebuilt) return prefix("nothing is lost, repeat it", rebuilt.error());
  // As the agent will see it.
  const auto content = PackStore::open(**database, config.packs_folder());
  if (!content) return way_out(content.error());
  const auto state = RocksState::open(**database);
  if (!state) return way_out(state.error());
  const auto usage = (*content)->usage();
  if (!usage) return usage.error();
  const auto release = release_text(**content, **state);
  if (!release) return way_out(release.error());
  return fmt::format(
      "{} packs hold {} chunks, {} bytes; {} small chunks lie in the database\n{}start the agent: "
      "systemctl start farboot-agent\n",
      rebuilt->packs, rebuilt->chunks, rebuilt->payload_bytes, usage->chunks - rebuilt->chunks,
      *release);
}

}  // namespace farboot
