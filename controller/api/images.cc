#include <cstdio>
#include <filesystem>
#include <optional>
#include <thread>

#include "common/base/log.h"
#include "controller/api/handlers.h"
#include "controller/import/http_fetch.h"
#include "controller/import/importer.h"
#include "controller/import/journal.h"

namespace farboot {
namespace {

constexpr Milliseconds kWaitingTick{500};

v1::ImportImageEvent to_event(const ImportProgress& progress) {
  v1::ImportImageEvent event;
  v1::ImportProgress& out = *event.mutable_progress();
  out.set_step(progress.step);
  out.set_path(progress.path);
  out.set_files_done(progress.files_done);
  out.set_files_total(progress.files_total);
  out.set_bytes_done(progress.bytes_done);
  out.set_bytes_total(progress.bytes_total);
  return event;
}

/// The file that says that an import began, and where one from a mirror notes what it has: the same
/// when it is repeated.
std::string journal_file(const std::filesystem::path& folder, const std::string& source) {
  if (folder.empty()) return {};
  std::error_code error;  // a folder that cannot be made is the journal's to report
  std::filesystem::create_directories(folder, error);
  return (folder / (sha256(as_bytes(source)).hex() + ".journal")).string();
}

/// The source or the operator broke it off: repeated, it goes on from what it has. Anything else
/// says that these bytes are of no use.
bool may_continue(Errc code) {
  return code == Errc::cancelled || code == Errc::unavailable || code == Errc::timeout ||
         code == Errc::denied;
}

/// Whether an import but that of the journal `own` runs or was broken off.
bool others_need_what_they_have(const std::filesystem::path& folder, const std::string& own) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(folder, error))
    if (file.path().extension() == ".journal" && file.path() != own) return true;
  return false;
}

/// One of the imports that may run at once; false if all are taken.
class Turn {
 public:
  explicit Turn(std::atomic<unsigned>& running) : running_(running) {}
  bool take() {
    taken_ = running_.fetch_add(1) < kImportsAtOnceMax;
    if (!taken_) running_.fetch_sub(1);
    return taken_;
  }
  ~Turn() {
    if (taken_) running_.fetch_sub(1);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic<unsigned>& running_;
  bool taken_ = false;
};

/// A source that is being imported; false if it is already.
class SourceTaken {
 public:
  explicit SourceTaken(Guarded<std::set<std::string>>& sources) : sources_(sources) {}
  bool take(const std::string& source) {
    if (sources_.with([&](std::set<std::string>& all) { return all.insert(source).second; }))
      source_ = source;
    return source_.has_value();
  }
  ~SourceTaken() {
    if (source_) sources_.with([&](std::set<std::string>& all) { all.erase(*source_); });
  }
  SourceTaken(const SourceTaken&) = delete;
  SourceTaken& operator=(const SourceTaken&) = delete;

 private:
  Guarded<std::set<std::string>>& sources_;
  std::optional<std::string> source_;
};

}  // namespace

/// Frees what imports of no use left behind. The sweep knows no journals: as long as there is
/// another one, it would take from that import what it is to go on from, and waits. Best effort.
void FleetService::Handlers::reclaim(const std::string& own_journal) {
  if (!sweep_owed_ || others_need_what_they_have(parts_.imports_folder, own_journal)) return;
  sweep_owed_ = false;
  const auto freed = sweeper_.sweep();
  if (freed) return;
  sweep_owed_ = true;
  log::warn("api.reclaim_failed", log::kv("error", freed.error().what));
}

/// Imports that were broken off long ago leave nothing behind. Best effort.
void FleetService::Handlers::give_up_old_imports(const std::string& own_journal) {
  const std::size_t imports = remove_old_journals(parts_.imports_folder, parts_.clock.wall());
  if (imports > 0) {
    log::info("api.imports_given_up", log::kv("imports", imports));
    sweep_owed_ = true;
  }
  reclaim(own_journal);
}

/// Runs on gRPC's thread for this call; the watcher sends progress and hears of the end.
Result<ImageRecord> FleetService::Handlers::run_import(
    Context* context, const v1::ImportImageRequest& request,
    grpc::ServerWriter<v1::ImportImageEvent>& writer) {
  ImportRequest wanted{request.source(), request.name(), request.tag(), std::nullopt,
                       journal_file(parts_.imports_folder, request.source())};
  if (wanted.source.empty()) return fail(Errc::invalid, "source: is empty");
  if (!is_name(wanted.name) || !(wanted.tag.empty() || is_name(wanted.tag)))
    return fail(Errc::invalid, "image {}@{}: want names of [a-z0-9][a-z0-9._-]*",
                printable(wanted.name), printable(wanted.tag));
  if (!request.sha256().empty()) {
    const auto digest = Digest::from_hex(request.sha256());
    if (!digest) return prefix("sha256", digest.error());
    wanted.sha256 = *digest;
  }
  const auto tell = [&](const ImportProgress& progress) {
    return writer.Write(to_event(progress)) && !gone(context);
  };
  SourceTaken source(sources_);
  if (!source.take(wanted.source))
    return fail(Errc::conflict,
                "image {}: {} is being imported already; try again when that has ended",
                wanted.name, shown_url(wanted.source));
  Turn turn(imports_);
  while (!turn.take()) {
    ImportProgress waiting;
    waiting.step = "waiting";
    if (!tell(waiting)) return fail(Errc::cancelled, "import of {}: cancelled", wanted.name);
    // Wakes also when anything else happens, which does no harm.
    const std::uint64_t seen = parts_.fleet.changed().wait_past(0, Milliseconds(0));
    parts_.fleet.changed().wait_past(seen, kWaitingTick);
  }
  // What others left is swept first; but not what this one had, if it is repeated.
  if (!begin_journal(wanted.journal, parts_.clock.wall())) give_up_old_imports(wanted.journal);
  const Sweeper::Writing writing(sweeper_);
  const auto image = import_image(wanted, parts_.content, tell);
  if (!image && !may_continue(image.error().code)) {
    std::remove(wanted.journal.c_str());
    sweep_owed_ = true;
  }
  if (!image) return image.error();
  auto record = parts_.images.add(*image, shown_url(wanted.source), parts_.clock.wall());
  // What could not be recorded, as under a tag that is taken, need not be fetched again.
  if (record) std::remove(wanted.journal.c_str());
  return record;
}

grpc::Status FleetService::Handlers::ImportImage(Context* context,
                                                 const v1::ImportImageRequest* request,
                                                 grpc::ServerWriter<v1::ImportImageEvent>* writer) {
  return answer(context, "ImportImage", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto record = run_import(context, *request, *writer);
                  reclaim({});
                  if (!record) return record.error();
                  auto full = full_record(*record);
                  if (!full) return full.error();
                  v1::ImportImageEvent event;
                  *event.mutable_image() = std::move(*full);
                  writer->Write(event);
                  return {};
                });
}

Result<v1::ImageRecord> FleetService::Handlers::full_record(const ImageRecord& record) const {
  v1::ImageRecord out = to_proto(record);
  const auto releases = parts_.releases.releases();
  if (!releases) return releases.error();
  for (const StoredRelease& release : *releases)
    if (release.release.image(record.id()) != nullptr) out.add_releases(release.release.number);
  return out;
}

grpc::Status FleetService::Handlers::ListImages(Context* context, const v1::ListImagesRequest*,
                                                v1::ListImagesResponse* out) {
  return answer(context, "ListImages", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto images = parts_.images.images();
                  if (!images) return images.error();
                  const auto releases = parts_.releases.releases();
                  if (!releases) return releases.error();
                  for (const ImageRecord& record : *images) {
                    v1::ImageRecord& made = *out->add_images();
                    made = to_proto(record);
                    for (const StoredRelease& release : *releases)
                      if (release.release.image(record.id()) != nullptr)
                        made.add_releases(release.release.number);
                  }
                  return {};
                });
}

grpc::Status FleetService::Handlers::GetImage(Context* context, const v1::GetImageRequest* request,
                                              v1::ImageRecord* out) {
  return answer(context, "GetImage", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto record = parts_.images.find(request->image());
                  if (!record) return record.error();
                  auto full = full_record(*record);
                  if (!full) return full.error();
                  *out = std::move(*full);
                  return {};
                });
}

/// Errors: conflict, saying who needs it and what to do.
Result<void> FleetService::Handlers::check_unused(const ImageRecord& record) const {
  const auto live = parts_.rollouts.live_releases();
  if (!live) return live.error();
  const auto newest = parts_.releases.newest();
  if (!newest) return newest.error();
  const auto sites = parts_.fleet.sites();
  if (!sites) return sites.error();
  for (const Digest& digest : *live) {
    const auto release = parts_.releases.find(digest);
    if (!release) return release.error();
    if (release->release.image(record.id()) == nullptr) continue;
    std::string who;
    for (const Site& site : *sites) {
      const auto desired = parts_.fleet.desired(site.name);
      if (!desired) return desired.error();
      if (desired->stage == digest || desired->serve == digest)
        who += (who.empty() ? "" : ", ") + site.name;
    }
    if (!who.empty())
      return fail(
          Errc::conflict,
          "image {}: release r{} names it, and these sites are to have that: {}; roll out a "
          "release without it first",
          record.id(), release->release.number, who);
    if (*newest && (*newest)->digest == digest)
      return fail(Errc::conflict,
                  "image {}: the newest release r{} names it; take it out of the fleet directory "
                  "and `farboot apply` first",
                  record.id(), release->release.number);
    return fail(Errc::conflict, "image {}: a rollout of r{} that has not ended needs it",
                record.id(), release->release.number);
  }
  return {};
}

grpc::Status FleetService::Handlers::RemoveImage(Context* context,
                                                 const v1::RemoveImageRequest* request,
                                                 v1::RemoveImageResponse* out) {
  return answer(context, "RemoveImage", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto record = parts_.images.find(request->image());
                  if (!record) return record.error();
                  const auto unused = check_unused(*record);
                  if (!unused) return unused.error();
                  auto full = full_record(*record);
                  if (!full) return full.error();
                  const auto removed = parts_.images.remove(*record);
                  if (!removed) return removed.error();
                  *out->mutable_image() = std::move(*full);
                  const auto freed = sweeper_.sweep();
                  if (!freed)
                    return prefix(fmt::format("image {}: was removed, but not swept", record->id()),
                                  freed.error());
                  out->set_deferred(!*freed);
                  out->set_freed_bytes(freed->value_or(0));
                  return {};
                });
}

}  // namespace farboot
