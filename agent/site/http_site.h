// What the HTTP server asks for, answered by boot/ and host/.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/boot/boot_service.h"
#include "agent/host/host_book.h"
#include "agent/http/site_handlers.h"

namespace farboot {

/// Everything on the loop. Borrows what it is given.
class HttpSite final : public SiteHandlers {
 public:
  /// The link's part of the status page.
  struct LinkStatus {
    std::string agent;
    bool connected = false;
    WallTime last_contact{};
  };

  /// What others know. Each may be empty.
  struct Others {
    std::function<std::vector<std::string>()> troubles;
    std::function<void()> count;
  };

  HttpSite(BootService& boot, const HostBook& hosts, std::function<LinkStatus()> link_status,
           Others others = {});

  std::string boot_first(std::string_view server) const override;
  Task<std::string> boot_script(ScriptRequest request) override;
  Task<Result<std::string>> entry_script(ScriptRequest request, std::string entry) override;
  std::string grub_first(std::string_view server) const override;
  Task<Result<std::string>> grub_script(GrubRequest request) override;
  Result<std::string> menu_script(ScriptRequest request, const std::string& menu) const override;
  Task<Result<std::string>> kickstart(KickstartRequest request) override;
  Task<Result<void>> event(EventRequest request) override;
  void fetched(std::string_view client, const CatalogFile& file) override;
  SiteStatus status() const override;
  void count() override;

 private:
  BootService& boot_;
  const HostBook& hosts_;
  std::function<LinkStatus()> link_status_;
  Others others_;
};

}  // namespace farboot
