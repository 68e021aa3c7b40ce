#include "controller/link/doctors.h"

#include <utility>

#include "common/rpc/status_map.h"
#include "controller/link/convert.h"
#include "controller/link/link_impl.h"

namespace farboot {
namespace {

constexpr Milliseconds kLook{200};  ///< so soon a caller that has gone is seen

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
    if (found->second.gone) return ended(fail(Errc::unavailable, "it went away meanwhile"));
    if (system_clock().steady() >= until)
      return ended(fail(Errc::timeout, "it did not answer in time"));
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
    const auto stream = streams_.of_agent(agent);
    if (!stream) {
      out.emplace(agent, fail(Errc::unavailable, "it is not connected"));
      continue;
    }
    v1::ControllerMessage message;
    message.mutable_doctor()->set_request(asked[agent] = doctors_.ask(agent));
    stream->send(std::move(message));
    // Gone between the look and the request: nobody would tell.
    if (streams_.of_agent(agent) != stream) doctors_.gone(agent);
  }
  for (const auto& [agent, request] : asked)
    out.emplace(agent, doctors_.wait(request, until, given_up));
  return out;
}

grpc::Status LinkService::Impl::on_doctor(AgentStream& stream, const v1::DoctorResult& result) {
  auto findings = from_proto(result);
  if (!findings) return to_grpc(findings.error());
  doctors_.answer(stream.agent().id, result.request(), std::move(*findings));
  return grpc::Status::OK;
}

}  // namespace farboot
