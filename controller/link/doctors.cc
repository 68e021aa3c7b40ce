#include "controller/link/doctors.h"

#include <utility>

#include "common/rpc/status_map.h"
#include "controller/link/convert.h"
#include "controller/link/link_impl.h"

namespace farboot {
namespace {

constexpr Milliseconds kLook{200};  ///< so soon a caller that has gone is seen

v1::ControllerMessage doctor_request(std::uint64_t request) {
  v1::ControllerMessage message;
  message.mutable_doctor()->set_request(request);
  return message;
}

}  // namespace

std::uint64_t Doctors::ask(const std::string& agent) {
  const std::lock_guard lock(mutex_);
  open_[++last_].agent = agent;
  return last_;
}

void Doctors::answer(const std::string& agent, std::uint64_t request,
                     std::vector<AgentFinding> findings) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(request);
    if (found == open_.end() || found->second.agent != agent) return;
    found->second.findings = std::move(findings);
  }
  changed_.notify_all();
}

void Doctors::gone(const std::string& agent) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [request, open] : open_)
      if (open.agent == agent) open.gone = true;
  }
  changed_.notify_all();
}

std::vector<std::uint64_t> Doctors::again(const std::string& agent) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> unanswered;
  for (auto& [request, open] : open_) {
    if (open.agent != agent || open.findings) continue;
    open.gone = false;
    open.again = true;
    unanswered.push_back(request);
  }
  return unanswered;
}

void Doctors::forget(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  open_.erase(request);
}

Result<std::vector<AgentFinding>> Doctors::wait(std::uint64_t request, SteadyTime until,
                                                const std::function<bool()>& given_up) {
  std::unique_lock lock(mutex_);
  const auto ended = [&](Result<std::vector<AgentFinding>> result) {
    open_.erase(request);
    return result;
  };
  for (;;) {
    const auto found = open_.find(request);
    if (found == open_.end()) return fail(Errc::cancelled, "nobody asked for it");
    if (found->second.findings) return ended(std::move(*found->second.findings));
    if (found->second.gone)
      return ended(fail(Errc::unavailable,
                        "its connection broke meanwhile, and what it found is lost; ask again"));
    if (system_clock().steady() >= until)
      return ended(fail(Errc::timeout, "{}",
                        found->second.again ? "its connection broke meanwhile, and what it found "
                                              "is lost; it was asked anew and needs longer"
                                            : "not in time"));
    lock.unlock();
    const bool over = given_up && given_up();
    lock.lock();
    if (over) return ended(fail(Errc::cancelled, "the caller has gone"));
    changed_.wait_for(lock, kLook);
  }
}

Diagnoses LinkService::Impl::diagnose(const std::vector<std::string>& agents,
                                      const std::function<bool()>& given_up) {
  const SteadyTime until = system_clock().steady() + parts_.settings.doctor_wait;
  Diagnoses out;
  std::map<std::string, std::uint64_t> asked;
  for (const std::string& agent : agents) {
    // Before the look: whoever comes or goes after it is told of the request.
    const std::uint64_t request = doctors_.ask(agent);
    const auto stream = streams_.of_agent(agent);
    if (!stream) {
      doctors_.forget(request);
      out.emplace(agent, fail(Errc::unavailable, "it is not connected"));
      continue;
    }
    asked[agent] = request;
    stream->send(doctor_request(request));
  }
  for (const auto& [agent, request] : asked)
    out.emplace(agent, doctors_.wait(request, until, given_up));
  return out;
}

void LinkService::Impl::ask_again(AgentStream& stream) {
  for (const std::uint64_t request : doctors_.again(stream.agent().id))
    stream.send(doctor_request(request));
}

grpc::Status LinkService::Impl::on_doctor(AgentStream& stream, const v1::DoctorResult& result) {
  auto findings = from_proto(result);
  if (!findings) return to_grpc(findings.error());
  doctors_.answer(stream.agent().id, result.request(), std::move(*findings));
  return grpc::Status::OK;
}

}  // namespace farboot
