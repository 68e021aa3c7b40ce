// The machines of the site: who they are, what was ordered, how far their installs are. Kept in the
// StateStore, so that nothing here needs the controller:
//
//   host/<name or MAC>   HostRecord        attempt/<token>        Attempt, written once
//   outbox/<20 digits>   HostEvent         catalog/pin/<token>    the tree the attempt needs
//   host-book/site       what the desired state says of the site
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/catalog/catalog.h"
#include "agent/host/attempt.h"
#include "agent/host/host_record.h"
#include "agent/host/install_state.h"
#include "agent/host/outbox.h"
#include "agent/host/state_writer.h"
#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/content/desired_state.h"

namespace farboot {

struct HostSettings {
  InstallLimits install;
  std::uint32_t installs_at_once_max = 64;  ///< where the site's own limit is 0
  /// An install counts as running now if it was heard of this recently.
  Seconds quiet_max{600};
  /// A tree stays reachable this long after the attempt reported its end: %post may go on.
  Seconds pin_grace{900};
  /// Names this run of the kernel: within it the steady clock goes on over restarts of the daemon.
  std::string boot_id;
};

/// A machine as the book sees it at this moment.
struct HostView {
  bool known = false;  ///< the operator named it
  HostSpec spec;       ///< name, entry, variables; of an unknown machine: its MAC only
  InstallState install;
  std::string entry;                       ///< of the newest attempt
  std::shared_ptr<const Attempt> attempt;  ///< the newest, while its token lives
  /// An install was ordered that another agent of the site is to carry out, and is not known to
  /// have: what this machine asks is left to that one.
  bool elsewhere = false;
};

/// Everything on the loop, except open().
class HostBook {
 public:
  /// Machines nobody named that are remembered; the ones quiet for longest are forgotten first.
  static constexpr std::size_t kUnknownHostsMax = 4096;

  HostBook(Loop& loop, DiskPool& disk, StateStore& state, Catalog& catalog, const Clock& clock,
           HostSettings settings = {});
  ~HostBook();

  /// Reads everything back. Blocks: before the loop runs, after Catalog::open(). What cannot be
  /// read is logged and left out. Errors: only if the state cannot be read at all.
  Result<void> open();
  /// Lets attempts age, for ever: spawn it once.
  Task<void> keep_time();
  /// One step of it.
  void tick();
  /// Waits until everything so far is on the card, or the card refused it once more.
  Task<Result<void>> flush();

  /// The hosts of a desired state; a larger install_order arms its host, unless it is known to be
  /// used up (HostSpec::install_done). A host that is gone finishes an install under way. Applying
  /// the same twice is harmless; at start the daemon applies the one it has stored. Durable when it
  /// returns. `agent`: our own name at the site (DesiredState::orders_agent).
  Task<Result<void>> apply(DesiredState desired, std::string agent = {});
  /// An order given at the site itself: name or MAC of a host. It is ours, whosever the orders from
  /// the centre are. Errors: not_found; invalid (the host is assigned no entry).
  Task<Result<void>> arm(std::string host);

  SiteFacts site() const { return site_; }
  /// Looks the machine up by MAC, then UUID, then serial number. Makes no record.
  HostView look(const MachineId& machine) const;
  const InstallLimits& limits() const { return settings_.install; }
  /// Attempts that were heard of lately.
  struct Running {
    std::uint32_t named = 0;
    std::uint32_t strangers = 0;  ///< machines nobody named
    std::uint32_t all() const { return named + strangers; }
  };
  Running running() const;
  std::uint32_t installs_at_once_max() const;
  enum class Whose {
    named,
    stranger
  };
  /// May one more begin? Anybody on the LAN can invent machines: they come after those with a name,
  /// take half of the site's installs at most, and never one from a host that was ordered.
  bool has_room(Whose whose) const;

  /// The machine came back: its attempt is over (InstallAnswer::came_back). Durable when it
  /// returns.
  Task<Result<void>> came_back(MachineId machine);

  enum class Kickstart {
    ours,
    elsewhere  ///< the arguments it boots with do not name ours
  };
  /// Machines nobody named that install at one time from one address (it may be a router's).
  static constexpr std::size_t kStrangersPerClient = 8;

  struct Begin {
    MachineId machine;
    std::shared_ptr<const Snapshot> snapshot;
    std::string entry;
    bool by_menu = false;  ///< a person chose it; else an order did
    std::string client;    ///< address it asks from
    Kickstart kickstart = Kickstart::ours;
  };
  /// Begins an attempt. Durable, with its pin, when it returns: only then may the script go out.
  /// Errors: conflict (neither ordered nor chosen, or another agent's), not_found (no such entry),
  /// exhausted, unavailable (could not be written).
  Task<Result<std::shared_ptr<const Attempt>>> begin(Begin order);
  /// The attempt under way once more (InstallAnswer::again), counted durably. Errors: conflict.
  Task<Result<std::shared_ptr<const Attempt>>> again(MachineId machine, std::string client);

  /// The attempt under way that `token` names, with its host; nullptr attempt: unknown, ended or
  /// expired.
  HostView attempt(std::string_view token) const;
  /// Its kickstart goes out. Durable when it returns, so that a machine whose disk may be touched
  /// is never installed twice, come what may. Errors: not_found, unavailable.
  Task<Result<void>> kickstart_served(std::string token, std::string client);
  /// A file of a tree went out whole. Cheap: writes only at steps and every tenth of the packages.
  void fetched(std::string_view client, const CatalogFile& file);

  enum class Report {
    installed,
    failed,
    note
  };
  /// Durable when it returns. Errors: not_found.
  Task<Result<void>> report(std::string token, Report what, std::string detail);

  /// Machines with something to tell: all that the operator named, by name, then others that
  /// installed, the newest first. A report may have no room for the last ones.
  std::vector<HostStatus> hosts() const;
  /// Addresses of those that install now, by MAC.
  std::map<std::string, std::string> clients() const;
  /// The oldest events the controller has not acknowledged.
  std::vector<HostEvent> pending_events(std::size_t events_max) const;
  Task<Result<void>> acknowledge(std::uint64_t sequence);

 private:
  struct Entry;  ///< a record and what is only in memory of it

  // host_book.cc: who is who
  Entry* find(const MachineId& machine) const;
  Entry* find_token(std::string_view token) const;
  HostView view(const Entry& entry) const;
  bool elsewhere(const HostRecord& record) const;
  Entry& add(HostRecord record);
  void index();
  void forget(const std::string& key, Transaction& writes);
  bool make_room(Transaction& writes);
  void take_spec(const HostSpec& spec, Transaction& writes);
  std::uint64_t baseline(const HostSpec& spec);
  bool adopt_unknown(const HostSpec& spec, Transaction& writes);
  void open_attempts();
  Result<void> open_site();
  void keep_site(const DesiredState& desired, const std::string& agent, Transaction& writes);
  void leave_site(const std::string& next, Transaction& writes);
  Seconds uptime() const;
  Seconds passed_since(const HostRecord& record) const;

  // host_progress.cc: how far they are
  Result<std::shared_ptr<Attempt>> make_attempt(const Begin& order) const;
  void put_attempt(Entry& entry, Transaction& writes);
  void forget_attempt(Entry& entry, Transaction& writes);
  void bind_client(Entry& entry, const std::string& client);
  /// Adds the record to the writes, and an event for each change of phase since `before`.
  void save(Entry& entry, InstallPhase before, Transaction& writes);
  void age(Entry& entry, Seconds passed, Transaction& writes);
  void count_package(Entry& entry, const CatalogFile& file);
  std::size_t strangers_of(const std::string& client, const Entry* except) const;

  Catalog& catalog_;
  const Clock& clock_;
  HostSettings settings_;
  const StateStore& state_;
  StateWriter writer_;
  boost::asio::any_io_executor executor_;
  Outbox outbox_;
  LogLimitByWhom phases_{LogLimit::of_a_rack()};  ///< steps of installs
  SiteFacts site_;
  std::uint32_t site_installs_max_ = 0;
  bool orders_elsewhere_ = false;  ///< another agent of the site carries them out
  bool site_kept_ = false;         ///< on the disk as it is here
  /// Keys of records that could not be read: what became of their machines' orders is not known.
  std::set<std::string, std::less<>> lost_;
  SteadyTime last_tick_;
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_;
  std::map<std::string, Entry*, std::less<>> by_mac_, by_uuid_, by_serial_, by_token_, by_client_;
};

}  // namespace farboot
