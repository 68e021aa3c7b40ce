#include <unordered_map>

#include "controller/api/handlers.h"

namespace farboot {
namespace {

constexpr std::size_t kSpecBytesMax = 64u << 20;    ///< all messages of a call, without pieces
constexpr std::size_t kAssetsBytesMax = 64u << 20;  ///< as declared

bool announces_more(const v1::FleetSpec& part) {
  return part.more() || (!part.pieces().empty() && part.pieces().rbegin()->more());
}

/// Takes a fleet off the wire: merges its parts and hands the pieces of assets to `keep`.
template <class Before, class Keep>
Result<v1::FleetSpec> receive(grpc::ServerReader<v1::FleetSpec>& reader, Before before_pieces,
                              Keep keep) {
  v1::FleetSpec whole, part;
  std::size_t bytes = 0;
  bool pieces_began = false;
  bool any = false, more = false;
  while (reader.Read(&part)) {
    any = true;
    more = announces_more(part);
    part.clear_more();
    google::protobuf::RepeatedPtrField<v1::AssetPiece> pieces;
    pieces.Swap(part.mutable_pieces());
    const std::size_t size = part.ByteSizeLong();
    if (size > 0 && pieces_began)
      return fail(Errc::invalid, "the fleet goes on after its first piece of an asset");
    bytes += size;
    if (bytes > kSpecBytesMax)
      return fail(Errc::exhausted, "the fleet is over {} bytes long", kSpecBytesMax);
    whole.MergeFrom(part);
    if (pieces.empty()) continue;
    if (!pieces_began) {
      pieces_began = true;
      const Result<void> good = before_pieces(whole);
      if (!good) return good.error();
    }
    for (const v1::AssetPiece& piece : pieces) {
      const Result<void> kept = keep(as_bytes(piece.content()));
      if (!kept) return kept.error();
    }
  }
  // gRPC ends the stream at a message that it cannot parse, as at its end: nothing is no fleet.
  if (!any) return fail(Errc::invalid, "no part of the fleet could be read");
  if (more)
    return fail(Errc::invalid, "the fleet ends in the middle: a part of it was lost or unreadable");
  return whole;
}

/// The chunks a fleet's assets are made of, and that they are not too much.
class AssetChunks {
 public:
  Result<void> declare(const FleetWish& wish) {
    if (wish.assets.size_bytes() > kAssetsBytesMax)
      return fail(Errc::exhausted, "assets: {} bytes together, at most {} are possible",
                  wish.assets.size_bytes(), kAssetsBytesMax);
    for (const FileEntry& file : wish.assets.files)
      for (const ChunkRef& chunk : file.chunks) chunks_[chunk.id] = chunk.size_bytes;
    return {};
  }
  Result<Digest> recognise(ByteView piece) const {
    const Digest id = sha256(piece);
    const auto known = chunks_.find(id);
    if (known == chunks_.end() || known->second != piece.size())
      return fail(Errc::mismatch, "assets: a piece of {} bytes ({}) belongs to none of them",
                  piece.size(), id.short_hex());
    return id;
  }

 private:
  std::unordered_map<Digest, std::uint32_t, DigestHash> chunks_;
};

}  // namespace

Result<std::set<std::string>> FleetService::Handlers::occupied_sites() const {
  const auto agents = parts_.enrolment.agents();
  if (!agents) return agents.error();
  std::set<std::string> out;
  for (const AgentRecord& agent : *agents)
    if (!agent.revoked) out.insert(agent.site);
  return out;
}

grpc::Status FleetService::Handlers::DiffFleet(Context* context,
                                               grpc::ServerReader<v1::FleetSpec>* reader,
                                               v1::FleetDiff* out) {
  return answer(context, "DiffFleet", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto nothing = [](const auto&) { return Result<void>(); };
                  const auto spec = receive(*reader, nothing, nothing);
                  if (!spec) return spec.error();
                  const auto wish = from_proto(*spec);
                  if (!wish) return wish.error();
                  const auto occupied = occupied_sites();
                  if (!occupied) return occupied.error();
                  const auto diff = applier_.diff(*wish, *occupied);
                  if (!diff) return diff.error();
                  *out = to_proto(*diff);
                  return {};
                });
}

grpc::Status FleetService::Handlers::ApplyFleet(Context* context,
                                                grpc::ServerReader<v1::FleetSpec>* reader,
                                                v1::ApplyFleetResponse* out) {
  return answer(context, "ApplyFleet", Role::operate, Kind::change,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto occupied = occupied_sites();
                  if (!occupied) return occupied.error();
                  const Sweeper::Writing writing(sweeper_);
                  AssetChunks assets;
                  // Everything is checked before the first byte of an asset is stored.
                  const auto check = [&](const v1::FleetSpec& spec) -> Result<void> {
                    const auto wish = from_proto(spec);
                    if (!wish) return wish.error();
                    const auto diff = applier_.diff(*wish, *occupied);
                    if (!diff) return diff.error();
                    return assets.declare(*wish);
                  };
                  const auto keep = [&](ByteView piece) -> Result<void> {
                    const auto id = assets.recognise(piece);
                    if (!id) return id.error();
                    return parts_.content.put(*id, piece);
                  };
                  const auto spec = receive(*reader, check, keep);
                  if (!spec) return spec.error();
                  if (context->IsCancelled())
                    return fail(Errc::cancelled, "apply: the caller went away");
                  const auto wish = from_proto(*spec);
                  if (!wish) return wish.error();
                  const auto applied = applier_.apply(*wish, *occupied);
                  if (!applied) return applied.error();
                  *out->mutable_diff() = to_proto(applied->diff);
                  *out->mutable_release() = to_proto(applied->release);
                  out->set_new_release(applied->new_release);
                  return {};
                });
}

namespace {

/// Which sites are to serve which release.
Result<std::map<Digest, std::vector<std::string>>> served(const Fleet& fleet) {
  std::map<Digest, std::vector<std::string>> out;
  const auto sites = fleet.sites();
  if (!sites) return sites.error();
  for (const Site& site : *sites) {
    const auto desired = fleet.desired(site.name);
    if (!desired) return desired.error();
    if (desired->serve) out[*desired->serve].push_back(site.name);
  }
  return out;
}

}  // namespace

grpc::Status FleetService::Handlers::ListReleases(Context* context,
                                                  const v1::ListReleasesRequest* request,
                                                  v1::ListReleasesResponse* out) {
  return answer(context, "ListReleases", Role::viewer, Kind::look,
                [&](const PeerIdentity&) -> Result<void> {
                  const auto releases = parts_.releases.releases();
                  if (!releases) return releases.error();
                  const auto sites = served(parts_.fleet);
                  if (!sites) return sites.error();
                  for (const StoredRelease& release : *releases) {
                    if (request->newest_max() != 0 &&
                        static_cast<std::uint32_t>(out->releases_size()) == request->newest_max())
                      break;
                    v1::ReleaseRecord& made = *out->add_releases();
                    made = to_proto(release);
                    const auto at = sites->find(release.digest);
                    if (at == sites->end()) continue;
                    for (const std::string& site : at->second) made.add_sites(site);
                  }
                  return {};
                });
}

grpc::Status FleetService::Handlers::GetRelease(Context* context,
                                                const v1::GetReleaseRequest* request,
                                                v1::ReleaseRecord* out) {
  return answer(
      context, "GetRelease", Role::viewer, Kind::look, [&](const PeerIdentity&) -> Result<void> {
        std::optional<StoredRelease> found;
        if (request->release().empty()) {
          auto newest = parts_.releases.newest();
          if (!newest) return newest.error();
          found = std::move(*newest);
          if (!found)
            return fail(Errc::not_found, "there is no release yet; `farboot apply DIR` makes one");
        } else {
          auto named = parts_.releases.find(request->release());
          if (!named) return named.error();
          found = std::move(*named);
        }
        const auto sites = served(parts_.fleet);
        if (!sites) return sites.error();
        *out = to_proto(*found);
        const auto at = sites->find(found->digest);
        if (at != sites->end())
          for (const std::string& site : at->second) out->add_sites(site);
        out->set_document(std::string(as_text(found->document.document)));
        return {};
      });
}

}  // namespace farboot
