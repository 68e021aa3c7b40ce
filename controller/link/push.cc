// What is desired of a site, on its way to the site's agents.
#include <algorithm>
#include <exception>
#include <utility>

#include "common/base/log.h"
#include "common/rpc/convert.h"
#include "controller/link/link_impl.h"

namespace farboot {

/// The newest desired state and an offer for each release it names.
LinkService::Impl::StateMessages LinkService::Impl::state_messages(const std::string& site,
                                                                   std::set<Digest>& broken) {
  StateMessages out;
  auto target = targets_.get(site);
  if (!target) {
    out.lacking = target.error();
    return out;
  }
  if (!*target) return out;
  out.revision = (*target)->revision;
  v1::ControllerMessage message;
  *message.mutable_desired_state() = to_proto(DocumentKind::desired_state, (*target)->document);
  out.messages.push_back(std::make_shared<const v1::ControllerMessage>(std::move(message)));
  for (const Digest& release : (*target)->releases) {
    if (broken.contains(release)) {
      out.lacking = Error{Errc::unavailable, "release " + release.short_hex()};
      continue;
    }
    auto content = contents_.get(release);
    if (!content) {
      // The desired state goes out all the same: the agent may hold the release already.
      out.lacking = content.error();
      broken.insert(release);
      const Errc why = content.error().code;
      if (why == Errc::corrupt || why == Errc::invalid)
        changed_releases_.with([&](auto& changed) { changed.insert(release); });
      continue;
    }
    v1::ControllerMessage offer;
    to_proto(**content, *offer.mutable_offer());
    out.messages.push_back(std::make_shared<const v1::ControllerMessage>(std::move(offer)));
  }
  return out;
}

void LinkService::Impl::push(const std::string& site) {
  const auto streams = streams_.of_site(site);
  if (streams.empty()) return;
  std::set<Digest> broken;
  const StateMessages desired = state_messages(site, broken);
  for (const auto& stream : streams) stream->send_state(desired.revision, desired.messages);
  if (desired.lacking) not_all_told(site, desired);
}

void LinkService::Impl::not_all_told(const std::string& site, const StateMessages& desired) {
  log::error("link.push_failed", log::kv("site", site), log::kv("error", desired.lacking->what));
  push_later(site, desired.messages.size());
}

void LinkService::Impl::push_later(const std::string& site, std::size_t told) {
  const bool post = due_.with([&](Due& due) {
    auto& least = due.sites.emplace(site, told).first->second;
    least = std::min(least, told);
    return !std::exchange(due.posted, true);
  });
  if (post) pool_.post_in(parts_.settings.push_again, [this] { push_again(); });
}

/// Silent: the failure is in the log. A release that many sites wait for is read once in a round.
void LinkService::Impl::push_again() {
  const auto sites = due_.with([](Due& due) {
    due.posted = false;
    return std::exchange(due.sites, {});
  });
  std::set<Digest> broken;
  for (const auto& [site, told] : sites) {
    try {
      push_again(site, told, broken);
    } catch (const std::exception& error) {  // a library's; it costs no other site its turn
      log::error("link.push_failed", log::kv("site", site), log::kv("error", error.what()));
      push_later(site, told);
    }
  }
}

void LinkService::Impl::push_again(const std::string& site, std::size_t told,
                                   std::set<Digest>& broken) {
  const auto streams = streams_.of_site(site);
  if (streams.empty()) return;  // told when they come
  const StateMessages desired = state_messages(site, broken);
  if (desired.messages.size() > told)
    for (const auto& stream : streams) stream->send_state(desired.revision, desired.messages);
  if (desired.lacking) push_later(site, desired.messages.size());
}

}  // namespace farboot
