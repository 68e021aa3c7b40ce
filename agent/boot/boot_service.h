// What a machine boots, as text: the room between HTTP requests and the pure decisions of boot/ and
// host/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/boot/answer.h"
#include "agent/boot/decide.h"
#include "agent/boot/machine.h"
#include "agent/boot/render_grub.h"
#include "agent/catalog/catalog.h"
#include "agent/host/host_book.h"
#include "agent/loop.h"
#include "common/base/clock.h"
#include "common/base/log_limit.h"
#include "common/base/result.h"
#include "common/content/release.h"

namespace farboot {

/// HEAD is answered as GET would be, but begins, ends and uses up nothing (RFC 9110 §9.2.1: safe).
enum class Asking : std::uint8_t {
  get,
  head
};

/// Who asks to be told: GRUB cannot start all that iPXE can.
enum class Asker : std::uint8_t {
  ipxe,
  grub
};

/// Lines that anyone on the network can cause. A rack that powers on is one for each machine.
struct BootLines {
  LogLimitByWhom decided{LogLimit::of_a_rack()};
  LogLimit chosen = LogLimit::of_a_rack();
  LogLimit kickstart = LogLimit::of_a_rack();
  LogLimit kickstart_denied;
  LogLimitByWhom start_refused;
  LogLimit render_failed;
  LogLimit arguments_long;
};

/// Every call on the loop; `server` is our base URL as the client reached it, `http://10.4.0.2` or
/// with port, no trailing slash.
class BootService {
 public:
  BootService(Catalog& catalog, HostBook& hosts, const Clock& clock)
      : catalog_(catalog), hosts_(hosts), clock_(clock) {}

  /// GET /boot.ipxe: learns the machine's facts and chains /boot/<mac>.ipxe with them. The same for
  /// every machine of the site.
  std::string first_script(std::string_view server) const;

  /// What a machine is told, and what scripts that say so need to know.
  struct Answered {
    ScriptFrame frame;
    BootAnswer answer;
  };
  /// boot_script() and entry_script() before they are put into iPXE's language: for those who speak
  /// another one.
  Task<Answered> answer(MachineFacts facts, std::string server, Asking asking = Asking::get,
                        Asker asker = Asker::ipxe);
  Task<Result<Answered>> answer_entry(MachineFacts facts, std::string entry, std::string server,
                                      Asking asking = Asking::get, Asker asker = Asker::ipxe);

  /// GET /boot/<mac>.ipxe: menu, entry or local disk. Always a runnable script: also when nothing
  /// is active yet (it says so, waits and retries). For an armed host this starts the attempt,
  /// durably, before the script goes out.
  Task<std::string> boot_script(MachineFacts facts, std::string server,
                                Asking asking = Asking::get);

  /// GET /boot/<mac>.ipxe?entry=NAME (chosen in the menu): script of one entry; an install begins
  /// an attempt. `NAME~again` is the answer of a person who was asked whether to install over what
  /// is there. Errors: not_found, unavailable.
  Task<Result<std::string>> entry_script(MachineFacts facts, std::string entry, std::string server,
                                         Asking asking = Asking::get);

  /// What GRUB reads first: it learns the machine's facts and asks for grub_script() with them. The
  /// same for every machine of the site.
  std::string grub_first(std::string_view server) const;

  /// GET or TFTP of a path that parse_grub_path() takes: boot_script() and entry_script() for GRUB.
  /// `client`: address, without port. `root`: its files come the way it asked. Errors: not_found,
  /// unavailable.
  Task<Result<std::string>> grub_script(GrubAsk asked, std::string client, std::string server,
                                        GrubRoot root, Asking asking = Asking::get);

  /// GET /boot/<mac>.ipxe?menu=NAME: one of the operator's own menus. Begins and ends nothing. A
  /// menu that does not render is a script that says so. Errors: not_found, unavailable.
  Result<std::string> menu_script(MachineFacts facts, const std::string& menu,
                                  std::string server) const;

  /// GET /ks/<token>. Behind it may stand the name of a file of Ubuntu's seed (`/user-data`: the
  /// kickstart; `/meta-data`, `/vendor-data`: empty but valid). Errors: not_found (unknown, ended
  /// or expired token), denied (a host's token asked for by another machine), unavailable, invalid
  /// (the template does not render).
  Task<Result<std::string>> kickstart(KickstartAsk ask, std::string server,
                                      Asking asking = Asking::get);

  /// A file of a tree went out to `client` completely (or its ranges did). Cheap; infers progress.
  void on_fetched(std::string_view client, const CatalogFile& file);

  /// Errors: not_found.
  Task<Result<void>> on_event(MachineEvent event);

 private:
  /// One machine that asks, at this moment.
  struct Visit {
    MachineFacts facts;
    std::string server;
    Asking asking = Asking::get;
    Asker asker = Asker::ipxe;
    MachineId machine() const { return {facts.mac, facts.uuid, facts.serial}; }
  };

  /// Whom templates speak of.
  struct Facts {
    SiteFacts site;
    HostSpec host;
  };
  Facts facts_of(const HostView& view, std::string_view token) const;
  HostBook::Kickstart kickstart_of(const Visit& visit, const Release& release,
                                   const std::string& entry) const;

  LocalBoot local_boot(const Variables& host, const Release* release) const;
  void warn_render(std::string_view what, const Error& error) const;
  ScriptFrame frame(const Visit& visit, const HostView& view, const Release* release) const;
  BootDecision decide(const Visit& visit, const HostView& view, const Release* release) const;
  MenuPage menu(const Visit& visit, const HostView& view, const Release& release,
                const BootDecision& decision) const;
  /// Loads an entry. `token`: of its attempt, empty for what needs none.
  Answered load(const Visit& visit, const HostView& view, const Release& release,
                const BootEntry& entry, std::string_view token) const;
  Result<LoadPlan> plan_entry(const Visit& visit, const HostView& view, const Release& release,
                              const BootEntry& entry, std::string_view token) const;
  /// `named`: as it was asked for, with kAgain.
  Task<Answered> start(Visit visit, std::string entry, BootDecision decision, std::string named);
  bool beyond_grub(const Visit& visit, const HostView& view, const std::string& entry) const;
  Answered preview(const Visit& visit, const HostView& view, const std::string& entry,
                   const BootDecision& decision) const;

  Catalog& catalog_;
  HostBook& hosts_;
  const Clock& clock_;
  mutable BootLines lines_;
};

}  // namespace farboot
