#include "controller/link/streams.h"

#include <algorithm>
#include <utility>

namespace farboot {

bool Streams::add(const std::shared_ptr<AgentStream>& stream) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  all_[stream.get()].stream = stream;
  return true;
}

bool Streams::add(const std::shared_ptr<ChunkStream>& stream) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  fetches_[stream.get()].stream = stream;
  return true;
}

bool Streams::greet(const std::shared_ptr<AgentStream>& stream,
                    std::shared_ptr<AgentStream>& before) {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(stream.get());
  if (found == all_.end()) return false;
  const std::string& agent = found->second.agent;
  const auto arrived = arrived_.find(agent);
  if (arrived != arrived_.end() && arrived->second.lock() == stream) arrived_.erase(arrived);
  before = std::exchange(greeted_[agent], stream);
  return true;
}

std::shared_ptr<AgentStream> Streams::admit(const std::shared_ptr<AgentStream>& stream,
                                            const std::string& agent) {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(stream.get());
  if (found == all_.end()) return nullptr;
  found->second.agent = agent;
  return std::exchange(arrived_[agent], stream).lock();
}

bool Streams::admit(const std::shared_ptr<ChunkStream>& stream, const std::string& agent,
                    std::vector<std::shared_ptr<ChunkStream>>& over) {
  const std::lock_guard lock(mutex_);
  const auto found = fetches_.find(stream.get());
  if (found == fetches_.end()) return true;  // it has ended: nothing is begun
  const auto open = std::count_if(fetches_.begin(), fetches_.end(),
                                  [&](const auto& fetch) { return fetch.second.agent == agent; });
  if (static_cast<std::size_t>(open) >= kFetchesOpenPerAgent) return false;
  found->second.agent = agent;
  found->second.number = ++admissions_;
  std::map<std::uint64_t, Fetch*> of_agent;
  for (auto& [key, fetch] : fetches_)
    if (fetch.agent == agent && fetch.number != 0) of_agent[fetch.number] = &fetch;
  for (; of_agent.size() > kFetchesPerAgent; of_agent.erase(of_agent.begin())) {
    of_agent.begin()->second->number = 0;
    over.push_back(of_agent.begin()->second->stream);
  }
  return true;
}

bool Streams::remove(AgentStream& stream) {
  // Freed outside the lock.
  Open one;
  std::shared_ptr<AgentStream> two;
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(&stream);
  if (found == all_.end()) return false;
  one = std::move(found->second);
  all_.erase(found);
  const auto arrived = arrived_.find(one.agent);
  if (arrived != arrived_.end() && arrived->second.lock().get() == &stream) arrived_.erase(arrived);
  const auto named = greeted_.find(one.agent);
  // Another stream of the same agent has taken its place: the agent is not gone.
  if (named == greeted_.end() || named->second.get() != &stream) return false;
  two = std::move(named->second);
  greeted_.erase(named);
  return true;
}

void Streams::remove(ChunkStream& stream) {
  std::shared_ptr<ChunkStream> last;
  const std::lock_guard lock(mutex_);
  const auto found = fetches_.find(&stream);
  if (found == fetches_.end()) return;
  last = std::move(found->second.stream);
  fetches_.erase(found);
}

std::vector<std::shared_ptr<AgentStream>> Streams::of_site(const std::string& site) const {
  std::vector<std::shared_ptr<AgentStream>> found;
  const std::lock_guard lock(mutex_);
  const std::string first = site + "/";
  for (auto at = greeted_.lower_bound(first); at != greeted_.end() && at->first.starts_with(first);
       ++at)
    found.push_back(at->second);
  return found;
}

std::shared_ptr<AgentStream> Streams::of_agent(const std::string& agent) const {
  const std::lock_guard lock(mutex_);
  const auto found = greeted_.find(agent);
  return found == greeted_.end() ? nullptr : found->second;
}

void Streams::drop(const std::string& agent, const grpc::Status& status) {
  const auto stream = of_agent(agent);
  std::vector<std::shared_ptr<ChunkStream>> fetches;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, fetch] : fetches_)
      if (fetch.agent == agent) fetches.push_back(fetch.stream);
  }
  for (const auto& fetch : fetches) fetch->finish(status);
  if (stream) stream->finish(status);
}

void Streams::stop() {
  std::vector<std::shared_ptr<AgentStream>> streams;
  std::vector<std::shared_ptr<ChunkStream>> fetches;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const auto& [key, open] : all_) streams.push_back(open.stream);
    for (const auto& [key, fetch] : fetches_) fetches.push_back(fetch.stream);
  }
  const grpc::Status status(grpc::StatusCode::UNAVAILABLE, "the controller stops; come again");
  for (const auto& fetch : fetches) fetch->finish(status);
  for (const auto& stream : streams) stream->finish(status);
}

std::size_t Streams::connected() const {
  const std::lock_guard lock(mutex_);
  return greeted_.size();
}

}  // namespace farboot
