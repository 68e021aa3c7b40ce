// Sites, their hosts, and the desired state of each: signed anew with the next number whenever
// something changes. `site/<name>`, `desired/<site>` (encode_signed DesiredState).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/clock.h"
#include "common/base/guarded.h"
#include "common/base/result.h"
#include "common/content/desired_state.h"
#include "common/content/signature.h"
#include "common/store/state_store.h"
#include "controller/fleet/report_book.h"
#include "controller/fleet/signal.h"
#include "controller/fleet/site.h"

namespace farboot {

/// Tried again this often when somebody else committed in between.
inline constexpr int kCommitAttemptsMax = 16;

/// Thread-safe. Borrows store, key and clock.
class Fleet final : public ReportSink {
 public:
  Fleet(StateStore& state, const SigningKey& key, const Clock& clock)
      : state_(state), key_(key), clock_(clock), reports_(state, clock, changed_) {}

  /// Reads back the agents' last reports. Before any other call.
  Result<void> open() { return reports_.open(); }

  /// In name order.
  Result<std::vector<Site>> sites() const;
  /// Errors: not_found.
  Result<Site> site(std::string_view name) const;
  /// Errors: not_found.
  Result<DesiredState> desired(std::string_view site) const;

  /// Adds to `transaction` what makes the site so: its record, and its desired state if that
  /// differs. Nothing is added for a site that is so already. Not with order_releases() of the same
  /// site in one transaction. Errors: invalid, exhausted (no agent could read its desired state).
  Result<void> put_site(Transaction& transaction, const Site& site) const;
  Result<void> remove_site(Transaction& transaction, const Site& site) const;

  /// The releases a site is to hold and to serve.
  struct Releases {
    std::optional<Digest> stage, serve;
    bool operator==(const Releases&) const = default;
  };
  /// Errors: not_found.
  Result<void> order_releases(Transaction& transaction, std::string_view site,
                              const Releases& releases) const;

  /// Arms `host` once more. Errors: not_found, invalid (no entry: nothing to install).
  Result<HostSpec> order_install(std::string_view site, std::string_view host);

  struct HostChange {
    std::optional<std::string> entry, uuid, serial;
    std::vector<std::string> macs;  ///< empty: unchanged
    Variables variables;            ///< added or replaced
    std::vector<std::string> remove_variables;
  };
  /// Changes a host, or adds it. Errors: not_found (the site), invalid.
  Result<HostSpec> set_host(std::string_view site, std::string_view host, const HostChange& change);

  void on_connected(const std::string& agent, const std::string& site) override {
    reports_.on_connected(agent, site);
  }
  void on_disconnected(const std::string& agent) override { reports_.on_disconnected(agent); }
  void on_report(const AgentReport& report) override;
  void on_hosts(const std::string& site, const std::vector<HostReport>& hosts) override;
  /// An agent that lost its memory knows no longer which of its orders it carried out: those it
  /// had taken count as used up, before it hears of them again. Sees to it that one agent of the
  /// site, enrolled and not revoked, carries out its orders (DesiredState::orders_agent). What an
  /// agent would refuse because it holds a newer state, or another of that number, is signed anew
  /// above it: this controller was put back from an older copy.
  void on_hello(const std::string& agent, const std::string& site, const HeldState& held) override;
  /// The same for an agent that is not to come back; its last report goes once that is durable.
  void forget_agent(const std::string& agent);
  /// Writes down which orders are used up, as agents reported them since the last call. Blocks;
  /// called often. What could not be written is tried again with the next call.
  Result<void> settle_orders();

  ReportBook& reports() { return reports_; }
  const ReportBook& reports() const { return reports_; }

  /// Counts reports and everything else a rollout or a watching operator may wait for.
  Signal& changed() const { return changed_; }

 private:
  struct Desired {
    DesiredState state;
    std::uint64_t revision = 0;  ///< 0: none stored yet
    std::optional<Digest> digest;
  };
  Result<Desired> load_desired(std::string_view site) const;
  Result<void> put_desired(Transaction& transaction, const Desired& before,
                           DesiredState next) const;
  Result<void> sign_desired(Transaction& transaction, const Desired& before,
                            DesiredState next) const;
  Result<void> sign_above(const std::string& agent, const std::string& site, const HeldState& held);
  Result<void> orders_lost(const AgentReport& report, std::uint64_t held);
  Result<void> forget_report(const std::string& agent);
  void look_at_orders_agent(const std::string& site);
  Result<void> choose_orders_agent(const std::string& site);
  Result<void> settle_site(const std::string& site,
                           const std::map<std::string, std::uint64_t>& used);
  template <class Change>
  Result<HostSpec> change_site(std::string_view name, Change change);

  StateStore& state_;
  const SigningKey& key_;
  const Clock& clock_;
  mutable Signal changed_;
  ReportBook reports_;
  using UsedOrders = std::map<std::string, std::map<std::string, std::uint64_t>>;  ///< site, host
  struct Used {
    UsedOrders due;      ///< to be written
    UsedOrders written;  ///< so that what is reported every second costs nothing
  };
  Guarded<Used> used_;
};

}  // namespace farboot
