// Where a worker's connections ask the site: questions go to the site's loop, answers come back to
// the worker's.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "agent/http/responder.h"
#include "agent/http/response.h"
#include "agent/http/services.h"
#include "agent/loop.h"

namespace farboot {

/// One for each worker; on its loop, except where it says otherwise.
class SiteDesk {
 public:
  /// `mine` are the worker's services, `site` those of the site's loop.
  SiteDesk(HttpServices& mine, HttpServices& site)
      : mine_(mine), site_(site), telling_(mine.loop) {}

  /// `owner` keeps both loops' services alive while a question is on its way.
  void start(std::weak_ptr<void> owner) { owner_ = std::move(owner); }
  /// Tells what is not yet told. Questions that are on their way get no answer any more.
  void stop();

  Loop& site_loop() { return site_.loop; }

  /// Responder::rendered() on the site's loop, which has heard before of all that was fetched on
  /// this worker.
  Task<Response> rendered(std::shared_ptr<const Request> request, Peer peer, Asked asked);

  /// SiteHandlers::fetched(), a moment later: a rack's worth of files wakes the site's loop once.
  void fetched(std::string client, const CatalogFile& file);

 private:
  using Fetched = std::vector<std::pair<std::string, CatalogFile>>;
  struct Answer;
  static Task<void> ask(std::shared_ptr<void> owner, HttpServices& site,
                        std::shared_ptr<const Request> request, Peer peer, Asked asked,
                        std::shared_ptr<Answer> answer);
  Task<void> tell_soon(std::shared_ptr<void> owner);
  void tell(const std::shared_ptr<void>& owner);
  static Task<void> hear(std::shared_ptr<void> owner, SiteHandlers& site, Fetched fetched);

  HttpServices& mine_;
  HttpServices& site_;
  std::weak_ptr<void> owner_;
  std::unordered_set<Answer*> waiting_;
  Fetched fetched_;  ///< not yet told
  boost::asio::steady_timer telling_;
  bool stopped_ = false;
};

}  // namespace farboot
