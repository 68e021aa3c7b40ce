// The boot loaders: convert, call, convert.
#include "controller/import/loaders.h"

#include "controller/api/handlers.h"

namespace farboot {
namespace {

LoaderRequest from_proto(const v1::ImportLoadersRequest& request) {
  LoaderRequest wanted;
  if (!request.source().empty()) wanted.sources.push_back(request.source());
  wanted.sources.insert(wanted.sources.end(), request.sources().begin(), request.sources().end());
  wanted.add = request.add();
  return wanted;
}

/// Records the set and tells of it.
Result<void> record_loaders(ImageBook& images, LoaderChange change, WallTime now,
                            v1::LoaderSet& out) {
  change.record.imported = now;
  const auto set = images.set_loaders(change.record);
  if (!set) return set.error();
  out = to_proto(change.record);
  out.clear_warnings();
  for (std::string& note : change.notes) out.add_warnings(std::move(note));
  for (const std::string& warning : change.record.warnings) out.add_warnings(warning);
  return {};
}

}  // namespace

grpc::Status FleetService::Handlers::ImportLoaders(Context* context,
                                                   const v1::ImportLoadersRequest* request,
                                                   v1::LoaderSet* out) {
  return answer(context, "ImportLoaders", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const Sweeper::Writing writing(sweeper_);
                  const auto held = parts_.images.loaders();
                  if (!held) return held.error();
                  auto change = import_loaders(from_proto(*request), *held, parts_.content);
                  if (!change) return change.error();
                  return record_loaders(parts_.images, std::move(*change), parts_.clock.wall(),
                                        *out);
                });
}

grpc::Status FleetService::Handlers::RemoveLoaders(Context* context,
                                                   const v1::RemoveLoadersRequest* request,
                                                   v1::LoaderSet* out) {
  return answer(
      context, "RemoveLoaders", Role::operate, Kind::change,
      [&](const PeerIdentity&) -> Result<void> {
        if (request->files().empty()) return fail(Errc::invalid, "files: is empty");
        const Sweeper::Writing writing(sweeper_);
        const auto held = parts_.images.loaders();
        if (!held) return held.error();
        if (!*held)
          return fail(Errc::not_found, "there are no boot loaders yet; `farboot loader import`");
        auto change = remove_loaders({request->files().begin(), request->files().end()}, **held,
                                     parts_.content);
        if (!change) return change.error();
        return record_loaders(parts_.images, std::move(*change), parts_.clock.wall(), *out);
      });
}

grpc::Status FleetService::Handlers::GetLoaders(Context* context, const v1::GetLoadersRequest*,
                                                v1::LoaderSet* out) {
  return answer(
      context, "GetLoaders", Role::viewer, Kind::look, [&](const PeerIdentity&) -> Result<void> {
        const auto loaders = parts_.images.loaders();
        if (!loaders) return loaders.error();
        if (!*loaders)
          return fail(Errc::not_found, "there are no boot loaders yet; `farboot loader import`");
        *out = to_proto(**loaders);
        return {};
      });
}

}  // namespace farboot
