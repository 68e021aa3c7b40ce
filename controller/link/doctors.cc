#include "controller/link/doctors.h"

#include <utility>

#include "common/rpc/status_map.h"
#include "controller/link/convert.h"
#include "controller/link/link_impl.h"

namespace farboot {
namespace {

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

void Doctors::dismiss(const std::string& agent) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [request, open] : open_)
      if (open.agent == agent) open.dismissed = true;
  }
  changed_.notify_all();
}

std::vector<std::uint64_t> Doctors::again(const std::string& agent) {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> unanswered;
  for (auto& [request, open] : open_) {
    if (open.agent != agent || open.findings) continue;
    open.again = true;
    unanswered.push_back(request);
  }
  return unanswered;
}

void Doctors::forget(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  open_.erase(request);
}

Result<std::vector<AgentFinding>> Doctors::end(Requests::iterator settled) {
  Open open = std::move(open_.extract(settled).mapped());
  if (open.findings) return std::move(*open.findings);
  return fail(Errc::unavailable, "it was revoked meanwhile");
}

Result<std::vector<AgentFinding>> Doctors::wait(std::uint64_t request, const Patience& patience) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = open_.find(request);
    if (found == open_.end()) return fail(Errc::cancelled, "nobody asked for it");
    if (settled(found->second)) return end(found);
    lock.unlock();
    const bool late = patience.clock.steady() >= patience.until;
    const bool away = late && !patience.connected();
    const bool over = patience.given_up && patience.given_up();
    lock.lock();
    // Others look at the request, but only who waits for it takes it away.
    Open& open = found->second;
    if (settled(open)) return end(found);
    if (over || late) {
      const bool again = open.again;
      open_.erase(found);
      if (over) return fail(Errc::cancelled, "the caller has gone");
      if (away)
        return fail(Errc::unavailable, "its connection broke meanwhile, and it did not come back");
      return fail(Errc::timeout, "{}",
                  again ? "its connection broke meanwhile, and what it found is lost; it was asked "
                          "anew and needs longer"
                        : "not in time");
    }
    changed_.wait_for(lock, patience.look, [&] { return settled(open); });
  }
}

Diagnoses LinkService::Impl::diagnose(const std::vector<std::string>& agents,
                                      const std::function<bool()>& given_up) {
  const SteadyTime until = parts_.clock.steady() + parts_.settings.doctor_wait;
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
  for (const auto& [agent, request] : asked) {
    const std::function<bool()> connected = [this, &agent] {
      return streams_.of_agent(agent) != nullptr;
    };
    out.emplace(agent, doctors_.wait(request, {parts_.clock, until, given_up, connected}));
  }
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
