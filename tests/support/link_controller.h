// The controller's end of the link in the test's own process: real stores on the disk, real books,
// real gRPC with mTLS on a port of its own. It can be stopped and started again on the same port
// and the same disk, and tells which chunks were asked for and sent.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include "common/base/guarded.h"
#include "common/base/unique_fd.h"
#include "common/content/identity_key.h"
#include "common/rpc/credentials.h"
#include "common/store/database.h"
#include "common/store/pack_store.h"
#include "common/store/rocks_state.h"
#include "controller/fleet/fleet.h"
#include "controller/link/link_service.h"
#include "controller/pki/authority.h"
#include "controller/pki/enrol.h"
#include "controller/release/release_book.h"
#include "tests/support/fake_clock.h"
#include "tests/support/temp_folder.h"

namespace grpc {
class Server;
}

namespace farboot {

/// What goes over the wire, seen at the controller. Called on gRPC's threads.
struct ChunkWatch {
  std::function<void()> heard;  ///< a message of an agent's stream, about to be handed over
  std::function<void(const Digest& chunk)> wanted;
  std::function<void(const Digest& chunk)> sent;  ///< about to be written
};

class LinkController {
 public:
  explicit LinkController(LinkSettings settings = {});
  ~LinkController();

  /// `127.0.0.1:<port>`; stays the same over restarts.
  const std::string& address() const { return address_; }
  void stop();
  void start();
  void restart();

  /// Before start(), or while nobody fetches.
  void watch(ChunkWatch watch) {
    watch_.with([&](ChunkWatch& held) { held = std::move(watch); });
  }

  /// Called with each report before it reaches the books, on the thread that brings it. While
  /// nobody is connected.
  void before_report(std::function<void(const AgentReport&)> tap) {
    before_report_.with([&](auto& held) { held = std::move(tap); });
  }

  /// Called when an agent has said hello, before it is welcomed, on the thread that welcomes it.
  void before_welcome(std::function<void()> tap) {
    before_welcome_.with([&](auto& held) { held = std::move(tap); });
  }

  /// Called with each key of the state that the link is about to read; may throw.
  void before_read(std::function<void(std::string_view)> tap) {
    before_read_.with([&](auto& held) { held = std::move(tap); });
  }

  /// A token for `site/name`, dialled at `address` (empty: ours).
  std::string token(const std::string& site, const std::string& name, std::string address = "",
                    Seconds ttl = Seconds(3600));
  /// Enrols `site/name` with a key made here; its credentials.
  Credentials enrol(const std::string& site, const std::string& name, const IdentityKey& key);
  Credentials enrol(const std::string& site, const std::string& name) {
    return enrol(site, name, identity);
  }

  /// A release of one new tree of `files` files, signed and booked; its digest.
  Digest add_release(int files, std::size_t file_bytes_max = 60'000);
  /// What a site is to hold and to serve from now on. Makes the site if there is none.
  void order(const std::string& site, std::optional<Digest> stage, std::optional<Digest> serve);
  /// Every chunk of a release, manifests included.
  std::vector<ChunkRef> chunks_of(const Digest& release);
  LinkCounts counts() const { return service_->counts(); }
  Diagnoses diagnose(const std::vector<std::string>& agents,
                     const std::function<bool()>& given_up = {}) {
    return service_->diagnose(agents, given_up);
  }
  std::optional<AgentReport> report(const std::string& agent) const;
  bool online(const std::string& agent) const;

  TempFolder folder;
  FakeClock clock;
  std::mt19937_64 random{42};
  SigningKey key = SigningKey::generate();
  IdentityKey identity = IdentityKey::generate();
  std::unique_ptr<Authority> authority;
  // Of one life:
  std::unique_ptr<Database> database;
  std::unique_ptr<RocksState> state;
  std::unique_ptr<PackStore> content;
  std::unique_ptr<Enrolment> enrolment;
  std::unique_ptr<ReleaseBook> releases;
  std::unique_ptr<Fleet> fleet;

 private:
  void open();
  void listen();

  LinkSettings settings_;
  std::string address_;
  UniqueFd port_hold_;  ///< so that nobody takes our port while we are down
  Guarded<ChunkWatch> watch_;
  Guarded<std::function<void(const AgentReport&)>> before_report_;
  Guarded<std::function<void()>> before_welcome_;
  Guarded<std::function<void(std::string_view)>> before_read_;
  std::unique_ptr<ReportSink> sink_;
  std::unique_ptr<StateStore> link_state_;
  std::unique_ptr<LinkService> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace farboot
