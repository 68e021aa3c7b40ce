#include "agent/http/site_desk.h"

#include <optional>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace farboot {
namespace {

namespace asio = boost::asio;

constexpr Milliseconds kTellAfter{20};

}  // namespace

/// Lives until both loops are done with it.
struct SiteDesk::Answer {
  explicit Answer(Loop& worker) : ready(worker, asio::steady_timer::time_point::max()) {}

  /// From the site's loop.
  static void deliver(const std::shared_ptr<Answer>& answer, Response response) {
    asio::post(answer->ready.get_executor(), [answer, response = std::move(response)]() mutable {
      answer->response = std::move(response);
      answer->ready.cancel();
    });
  }

  std::optional<Response> response;
  asio::steady_timer ready;
};

void SiteDesk::stop() {
  if (const auto owner = owner_.lock()) tell(owner);
  stopped_ = true;
  for (Answer* answer : waiting_) answer->ready.cancel();
  telling_.cancel();
}

Task<void> SiteDesk::ask(std::shared_ptr<void> owner, HttpServices& site,
                         std::shared_ptr<const Request> request, Peer peer, Asked asked,
                         std::shared_ptr<Answer> answer) {
  // As locals, for in which order parameters go is the compiler's matter: the worker's loop goes
  // after what lives on it.
  const auto goes_last = std::move(owner);
  const auto whom = std::move(answer);
  // Whatever happens (a library may throw), whoever waits is told.
  struct Reply {
    const std::shared_ptr<Answer>& whom;
    Response response = error_response(500);
    ~Reply() { Answer::deliver(whom, std::move(response)); }
  };
  Reply reply{whom};
  const Responder responder(site);
  reply.response = co_await responder.rendered(*request, peer, std::move(asked));
}

Task<Response> SiteDesk::rendered(std::shared_ptr<const Request> request, Peer peer, Asked asked) {
  auto owner = owner_.lock();
  if (stopped_ || !owner) co_return retry_response();
  tell(owner);
  const auto answer = std::make_shared<Answer>(mine_.loop);
  waiting_.insert(answer.get());
  spawn(
      site_.loop, "http.answer",
      ask(std::move(owner), site_, std::move(request), std::move(peer), std::move(asked), answer));
  boost::system::error_code ignored;
  co_await answer->ready.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  waiting_.erase(answer.get());
  if (!answer->response) co_return retry_response();  // the server stops
  co_return std::move(*answer->response);
}

void SiteDesk::fetched(std::string client, const CatalogFile& file) {
  auto owner = owner_.lock();
  if (!owner) return;
  fetched_.emplace_back(std::move(client), file);
  if (stopped_) {
    tell(owner);
  } else if (fetched_.size() == 1)
    spawn(mine_.loop, "http.tell", tell_soon(std::move(owner)));
}

Task<void> SiteDesk::tell_soon(std::shared_ptr<void> owner) {
  telling_.expires_after(kTellAfter);
  boost::system::error_code ignored;
  co_await telling_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  tell(owner);
}

void SiteDesk::tell(const std::shared_ptr<void>& owner) {
  if (fetched_.empty()) return;
  spawn(site_.loop, "http.fetched", hear(owner, site_.site, std::exchange(fetched_, {})));
}

Task<void> SiteDesk::hear(std::shared_ptr<void> owner, SiteHandlers& site, Fetched fetched) {
  const auto goes_last = std::move(owner);
  for (const auto& [client, file] : fetched) site.fetched(client, file);
  co_return;
}

}  // namespace farboot
