// The controller's end over real gRPC with mTLS, and an agent that is written by hand, so that it
// can say what no agent of ours would.
#pragma once

#include "controller/link/link_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/rpc/convert.h"
#include "common/rpc/status_map.h"
#include "farboot/v1/link.grpc.pb.h"
#include "tests/support/eventually.h"
#include "tests/support/link_controller.h"
#include "tests/support/sample_content.h"

namespace farboot {

using ::testing::HasSubstr;

inline std::unique_ptr<grpc::ClientContext> patient() {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
  return context;
}

/// One Connect call.
class HandAgent {
 public:
  explicit HandAgent(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(v1::Link::NewStub(channel)),
        context_(patient()),
        stream_(stub_->Connect(context_.get())) {}
  ~HandAgent() {
    if (!stream_) return;
    context_->TryCancel();
    static_cast<void>(stream_->Finish());
  }

  bool say(const v1::AgentMessage& message) { return stream_->Write(message); }
  bool hello(std::uint32_t protocol = 1) {
    v1::AgentMessage message;
    message.mutable_hello()->set_protocol(protocol);
    message.mutable_hello()->set_version("0.1-hand");
    return say(message);
  }
  /// The next message; BODY_NOT_SET: the stream has ended.
  v1::ControllerMessage hear() {
    v1::ControllerMessage message;
    if (!stream_->Read(&message)) message.Clear();
    return message;
  }
  /// The next one of this kind; others are passed over.
  v1::ControllerMessage hear(v1::ControllerMessage::BodyCase kind) {
    while (true) {
      auto message = hear();
      if (message.body_case() == kind || message.body_case() == v1::ControllerMessage::BODY_NOT_SET)
        return message;
    }
  }
  /// Why the stream ended.
  Error end() {
    while (hear().body_case() != v1::ControllerMessage::BODY_NOT_SET) {
    }
    const grpc::Status status = stream_->Finish();
    stream_.reset();
    return status.ok() ? Error{Errc::internal, "it ended well"} : to_error(status);
  }

 private:
  std::unique_ptr<v1::Link::Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::AgentMessage, v1::ControllerMessage>> stream_;
};

/// How often the log says it.
inline std::size_t lines_of(const std::string& event, const std::string& log) {
  std::size_t lines = 0;
  for (auto at = log.find("event=" + event + " "); at != std::string::npos;
       at = log.find("event=" + event + " ", at + 1))
    ++lines;
  return lines;
}

class LinkServiceTest : public ::testing::Test {
 protected:
  explicit LinkServiceTest(LinkSettings settings = {}) : controller_(settings) {}
  std::shared_ptr<grpc::Channel> channel(const Credentials& credentials) {
    auto made = dial(controller_.address(), credentials);
    EXPECT_TRUE(made);
    return *made;
  }
  /// One that sends messages of any size, as no dial() of ours does.
  std::shared_ptr<grpc::Channel> loud_channel(const Credentials& credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxSendMessageSize(-1);
    return own_channel(credentials, arguments);
  }
  /// One that shares its connection with no other.
  std::shared_ptr<grpc::Channel> own_channel(const Credentials& credentials,
                                             grpc::ChannelArguments arguments) {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(controller_.address(),
                                     grpc::SslCredentials({credentials.ca_pem, credentials.key_pem,
                                                           credentials.certificate_pem}),
                                     arguments);
  }
  /// An agent of lyon that has said hello and heard its welcome.
  std::unique_ptr<HandAgent> connected() { return connected(channel(lyon_)); }
  std::unique_ptr<HandAgent> connected(const std::shared_ptr<grpc::Channel>& over) {
    auto agent = std::make_unique<HandAgent>(over);
    EXPECT_TRUE(agent->hello());
    EXPECT_EQ(agent->hear().body_case(), v1::ControllerMessage::kWelcome);
    return agent;
  }
  /// The daemon is up and answers a good agent.
  void expect_alive() { EXPECT_NE(connected(), nullptr); }

  struct Fetched {
    std::map<Digest, Bytes> chunks;
    std::vector<Digest> missing;
    std::vector<v1::ChunkFrame> frames;
    Error error{Errc::internal, ""};  ///< empty text: it ended well
  };
  Fetched fetch(const std::shared_ptr<grpc::Channel>& over, const v1::FetchChunksRequest& request) {
    return fetch(v1::Link::NewStub(over), request);
  }
  Fetched fetch(const std::unique_ptr<v1::Link::Stub>& stub,
                const v1::FetchChunksRequest& request) {
    Fetched out;
    const auto context = patient();
    const auto reader = stub->FetchChunks(context.get(), request);
    v1::ChunkFrame frame;
    while (reader->Read(&frame)) out.frames.push_back(frame);
    const grpc::Status status = reader->Finish();
    if (!status.ok()) out.error = to_error(status);
    return out;
  }
  v1::FetchChunksRequest want(const Digest& release, std::span<const Digest> chunks) {
    v1::FetchChunksRequest request;
    request.set_release(to_proto(release));
    request.set_want(to_proto(chunks));
    request.set_encodings(1u << v1::CHUNK_ENCODING_ZSTD);
    return request;
  }
  std::vector<Digest> ids_of(const Digest& release) {
    std::vector<Digest> ids;
    for (const ChunkRef& chunk : controller_.chunks_of(release)) ids.push_back(chunk.id);
    return ids;
  }

  LinkController controller_;
  Credentials lyon_ = controller_.enrol("lyon", "pi1");
};

}  // namespace farboot
