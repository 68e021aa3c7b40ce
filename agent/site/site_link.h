// The link to the controller as the site uses it: taken up once there is an identity, and fed with
// what the host book has to tell.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "agent/catalog/catalog.h"
#include "agent/doctor/doctor.h"
#include "agent/host/host_book.h"
#include "agent/link/link.h"
#include "agent/loop.h"
#include "agent/site/http_site.h"
#include "common/base/clock.h"
#include "common/store/content_store.h"
#include "common/store/state_store.h"

namespace farboot {

/// Everything on the loop, except damaged().
class SiteLink {
 public:
  /// All of it outlives the SiteLink.
  struct Parts {
    ContentStore& content;
    StateStore& state;
    Catalog& catalog;
    HostBook& hosts;
    Loop& loop;
    DiskPool& disk;
    const Clock& clock;
    std::filesystem::path state_dir;
    std::string version;
    std::string dhcp_mode;
    std::function<void(doctor::Doctor::Done done)> examine{};  ///< may be empty
  };
  explicit SiteLink(Parts parts);
  ~SiteLink();  ///< as stop()

  /// Takes up the identity if there is one, and looks for a new one every second: a Pi is enrolled,
  /// or enrolled anew, while its agent runs.
  void start();
  /// Ends the link's threads and waits for them. Harmless twice.
  void stop();
  /// The store took a rotten chunk out. Any thread, quick.
  void damaged();

  /// What a report says now: nothing while the host book is another site's than the identity's.
  SiteReport to_tell(std::size_t events_max) const;
  HttpSite::LinkStatus status() const;
  /// Of what is fetched; as it is at the start while there is no identity.
  SyncStatus sync() const;

 private:
  static constexpr Milliseconds kLook{1000};

  Task<void> watch();
  Task<bool> identity_changed();
  Task<void> take_up_identity();
  Task<void> drop_link();
  Task<void> apply(std::shared_ptr<const DesiredState> desired);
  Task<void> acknowledge(std::uint64_t sequence);
  LinkCallbacks callbacks();
  void poke_if_changed();

  Parts parts_;
  std::unique_ptr<Link> link_;
  std::string agent_;
  /// Tells one identity on the disk from the next; renewed certificates do not change it.
  struct Mark {
    std::uint64_t inode = 0;
    std::int64_t seconds = 0, nanoseconds = 0;
    bool operator==(const Mark&) const = default;
  };
  static Mark mark_of(const std::filesystem::path& state_dir);
  Mark mark_;
  std::vector<HostStatus> told_;
  boost::asio::steady_timer timer_;
  WallTime last_contact_{};
  bool complained_ = false;
  bool stopped_ = false;
};

}  // namespace farboot
