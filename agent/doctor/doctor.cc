#include "agent/doctor/doctor.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

#include "agent/doctor/judge.h"
#include "common/base/log.h"

namespace farboot::doctor {

std::vector<Finding> examine(Question question, const std::stop_token& stop) {
  Observations seen = std::move(question.own);
  // Only who answers machines is asked; without an address there is nobody to send from.
  if (!seen.interfaces.empty()) {
    auto offers = probe_lan(question.lan, stop);
    if (offers)
      seen.offers = std::move(*offers);
    else
      seen.probe_trouble = offers.error().what;
    SelfBootResult booted = self_boot(question.boot, stop);
    seen.ports = std::move(booted.ports);
    seen.loaders = std::move(booted.loaders);
    seen.walks = std::move(booted.walks);
  }
  return judge(seen);
}

Result<void> Doctor::examine(Done done) {
  if (stopped_) return fail(Errc::unavailable, "the agent stops");
  if (waiting_.size() >= kAskersMax)
    return fail(Errc::exhausted, "{} wait for this examination already; ask again in a minute",
                waiting_.size());
  if (waiting_.empty())
    if (auto begun = begin(); !begun) return begun;
  waiting_.push_back(std::move(done));
  return {};
}

/// Nobody waits yet: whatever goes wrong here leaves no one waiting.
Result<void> Doctor::begin() {
  if (thread_.joinable()) thread_.join();  // of the one before: it has posted its last word
  Question question;
  try {
    question = ask_();
  } catch (const std::exception& error) {
    return fail(Errc::internal, "the agent cannot say how it is: {}", error.what());
  }
  auto run = [this, question = std::move(question)](const std::stop_token& stop) mutable {
    std::vector<Finding> findings;
    try {
      findings = doctor::examine(std::move(question), stop);
    } catch (const std::exception& error) {
      findings = {{"doctor.failed", Severity::fail, "", error.what(), "ask again"}};
    }
    if (stop.stop_requested()) return;
    boost::asio::post(loop_, [this, found = std::move(findings)] { finish(found); });
  };
  try {
    thread_ = std::jthread(std::move(run));
  } catch (const std::system_error& error) {
    return fail(Errc::unavailable, "no thread for it: {}", error.what());
  }
  return {};
}

void Doctor::finish(const std::vector<Finding>& findings) {
  if (stopped_) return;
  const auto count = [&](Severity severity) {
    return std::count_if(findings.begin(), findings.end(),
                         [&](const Finding& each) { return each.severity == severity; });
  };
  log::info("doctor.examined", log::kv("fail", count(Severity::fail)),
            log::kv("warn", count(Severity::warn)), log::kv("ok", count(Severity::ok)));
  const std::vector<Done> told = std::exchange(waiting_, {});
  for (const Done& done : told) done(findings);
}

void Doctor::stop() {
  stopped_ = true;
  waiting_.clear();
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace farboot::doctor
