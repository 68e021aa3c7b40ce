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

std::vector<std::uint64_t> Doctors::due(const std::string& agent, const Line& line) {
  std::vector<std::uint64_t> asked;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [request, open] : open_) {
      const bool same = !open.line.owner_before(line) && !line.owner_before(open.line);
      if (open.agent != agent || open.answer || same) continue;
      if (open.asks >= kDoctorAsksMax) {
        open.answer = fail(Errc::unavailable,
                           "its connection broke each time it was asked ({} times): the "
                           "examination itself may be what ends it; see the agent's log",
                           open.asks);
        continue;
      }
      open.line = line;
      ++open.asks;
      asked.push_back(request);
    }
  }
  changed_.notify_all();
  return asked;
}

void Doctors::answer(const std::string& agent, std::uint64_t request,
                     Result<std::vector<AgentFinding>> findings) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = open_.find(request);
    if (found == open_.end() || found->second.agent != agent || found->second.answer) return;
    found->second.answer = std::move(findings);
  }
  changed_.notify_all();
}

void Doctors::dismiss(const std::string& agent) {
  {
    const std::lock_guard lock(mutex_);
    for (auto& [request, open] : open_)
      if (open.agent == agent && !open.answer)
        open.answer = fail(Errc::unavailable, "it was revoked meanwhile");
  }
  changed_.notify_all();
}

void Doctors::forget(std::uint64_t request) {
  const std::lock_guard lock(mutex_);
  open_.erase(request);
}

Result<std::vector<AgentFinding>> Doctors::wait(std::uint64_t request, const Patience& patience) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = open_.find(request);
    if (found == open_.end()) return fail(Errc::cancelled, "nobody asked for it");
    if (found->second.answer) return std::move(*open_.extract(found).mapped().answer);
    lock.unlock();
    const bool late = patience.clock.steady() >= patience.until;
    const bool away = late && !patience.connected();
    const bool over = patience.given_up && patience.given_up();
    lock.lock();
    // Others look at the request, but only who waits for it takes it away.
    Open& open = found->second;
    if (open.answer) return std::move(*open_.extract(found).mapped().answer);
    if (over || late) {
      const bool again = open.asks > 1;
      open_.erase(found);
      if (over) return fail(Errc::cancelled, "the caller has gone");
      if (away)
        return fail(Errc::unavailable, "its connection broke meanwhile, and it did not come back");
      return fail(Errc::timeout, "{}",
                  again ? "its connection broke meanwhile, and what it found is lost; it was asked "
                          "anew and needs longer"
                        : "not in time");
    }
    changed_.wait_for(lock, patience.look, [&] { return open.answer.has_value(); });
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
    // Else who welcomes it asks.
    if (stream->welcomed()) ask_what_is_due(*stream);
  }
  for (const auto& [agent, request] : asked) {
    const std::function<bool()> connected = [this, &agent] {
      return streams_.of_agent(agent) != nullptr;
    };
    out.emplace(agent, doctors_.wait(request, {parts_.clock, until, given_up, connected}));
  }
  return out;
}

void LinkService::Impl::ask_what_is_due(AgentStream& stream) {
  for (const std::uint64_t request : doctors_.due(stream.agent().id, stream.shared_from_this()))
    stream.send(doctor_request(request));
}

grpc::Status LinkService::Impl::on_doctor(AgentStream& stream, const v1::DoctorResult& result) {
  auto findings = from_proto(result);
  const grpc::Status status = findings ? grpc::Status::OK : to_grpc(findings.error());
  // Also if it is refused: asked anew it would say the same.
  doctors_.answer(stream.agent().id, result.request(), std::move(findings));
  return status;
}

}  // namespace farboot
