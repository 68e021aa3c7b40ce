#include "controller/link/agent_stream.h"

#include <algorithm>
#include <utility>

namespace farboot {

std::shared_ptr<AgentStream> AgentStream::make(grpc::CallbackServerContext& context,
                                               WorkerPool& pool, StreamOwner& owner) {
  std::shared_ptr<AgentStream> stream(new AgentStream(context, pool, owner));
  stream->self_ = stream;
  return stream;
}

void AgentStream::begin(AgentRecord agent, Milliseconds hello_wait) {
  agent_ = std::move(agent);
  pool_.post_in(hello_wait, [weak = weak_from_this()] {
    const auto stream = weak.lock();
    if (stream && !stream->greeted_)
      stream->finish({grpc::StatusCode::DEADLINE_EXCEEDED, "no hello came"});
  });
  read();
}

/// Never after finish(): gRPC may be done with us then.
void AgentStream::read() {
  const std::lock_guard lock(mutex_);
  if (!finished_) StartRead(&incoming_);
}

void AgentStream::put(SharedMessage message) {
  waiting_.push_back(std::move(message));
  if (waiting_.size() == 1) StartWrite(waiting_.front().get());
}

void AgentStream::welcome(v1::ControllerMessage message) {
  auto shared = std::make_shared<const v1::ControllerMessage>(std::move(message));
  const std::lock_guard lock(mutex_);
  if (finished_) return;
  welcomed_ = true;
  put(std::move(shared));
}

bool AgentStream::welcomed() {
  const std::lock_guard lock(mutex_);
  return welcomed_;
}

void AgentStream::send(v1::ControllerMessage message) {
  auto shared = std::make_shared<const v1::ControllerMessage>(std::move(message));
  bool full = false;
  {
    const std::lock_guard lock(mutex_);
    if (finished_ || !welcomed_) return;
    full = waiting_.size() >= kWaitingMax;
    if (!full) put(std::move(shared));
  }
  if (full) finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the line is too slow; come again"});
}

void AgentStream::send_state(std::uint64_t revision, const std::vector<SharedMessage>& messages) {
  const std::lock_guard lock(mutex_);
  if (finished_ || !welcomed_ || revision < state_revision_) return;
  if (revision == state_revision_ && messages.size() <= state_messages_) return;
  state_revision_ = revision;
  state_messages_ = messages.size();
  const auto first_waiting = waiting_.empty() ? waiting_.end() : waiting_.begin() + 1;
  waiting_.erase(std::remove_if(first_waiting, waiting_.end(),
                                [](const SharedMessage& message) {
                                  return message->has_desired_state() || message->has_offer();
                                }),
                 waiting_.end());
  for (const SharedMessage& message : messages) put(message);
}

void AgentStream::finish(const grpc::Status& status) {
  const auto keep = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(finished_, true)) return;
    if (!waiting_.empty()) {
      waiting_.erase(waiting_.begin() + 1, waiting_.end());
      last_word_ = status;
      cut_off_.arm();
      return;
    }
  }
  Finish(status);
}

void AgentStream::OnReadDone(bool ok) {
  if (!ok) return finish(grpc::Status::OK);
  // One message at a time: an agent that talks too much waits for itself.
  pool_.post([self = shared_from_this()] { self->handle(); },
             [self = shared_from_this()] { self->finish(job_failed()); });
}

void AgentStream::handle() {
  const grpc::Status status = take(incoming_);
  if (!status.ok()) return finish(status);
  read();
}

grpc::Status AgentStream::take(const v1::AgentMessage& message) {
  if (!greeted_) {
    if (message.body_case() != v1::AgentMessage::kHello || message.hello().protocol() != 1)
      return {grpc::StatusCode::INVALID_ARGUMENT,
              "the first message must be a hello of protocol 1"};
    greeted_ = true;
    return owner_.on_hello(*this, message.hello());
  }
  switch (message.body_case()) {
    case v1::AgentMessage::kReport: return owner_.on_report(*this, message.report());
    case v1::AgentMessage::kEvents: return owner_.on_events(*this, message.events());
    case v1::AgentMessage::kDoctor: return owner_.on_doctor(*this, message.doctor());
    case v1::AgentMessage::kHello:
    case v1::AgentMessage::BODY_NOT_SET: break;  // unknown here: ignored, as link.proto says
  }
  return grpc::Status::OK;
}

void AgentStream::OnWriteDone(bool ok) {
  const auto keep = shared_from_this();
  std::optional<grpc::Status> last_word;
  {
    const std::lock_guard lock(mutex_);
    waiting_.pop_front();
    last_word = std::move(last_word_);
    if (!ok) waiting_.clear();
    if (!finished_ && !waiting_.empty()) StartWrite(waiting_.front().get());
  }
  if (last_word) return Finish(*last_word);
  if (!ok) finish(grpc::Status::OK);
}

void AgentStream::OnCancel() { finish(grpc::Status::CANCELLED); }

void AgentStream::OnDone() {
  cut_off_.done();
  owner_.on_ended(*this);
  // May delete this: the last thing that happens.
  const std::shared_ptr<AgentStream> last = std::move(self_);
}

}  // namespace farboot
