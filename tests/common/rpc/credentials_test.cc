#include "common/rpc/credentials.h"

#include <deque>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/base/guarded.h"
#include "farboot/v1/link.grpc.pb.h"
#include "tests/support/eventually.h"

namespace farboot {
namespace {

/// Answers nobody until it is told to.
class SlowLink final : public v1::Link::CallbackService {
 public:
  grpc::ServerUnaryReactor* RenewCertificate(grpc::CallbackServerContext* context,
                                             const v1::RenewCertificateRequest*,
                                             v1::RenewCertificateResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    waiting_.with([&](auto& waiting) { waiting.push_back(reactor); });
    return reactor;
  }
  std::size_t waiting() const {
    return waiting_.with([](const auto& waiting) { return waiting.size(); });
  }
  void answer_one() {
    auto* reactor = waiting_.with([](auto& waiting) {
      auto* first = waiting.front();
      waiting.pop_front();
      return first;
    });
    reactor->Finish(grpc::Status::OK);
  }

 private:
  Guarded<std::deque<grpc::ServerUnaryReactor*>> waiting_;
};

struct Call {
  grpc::ClientContext context;
  v1::RenewCertificateRequest request;
  v1::RenewCertificateResponse response;
  std::promise<grpc::Status> ended;
};

std::unique_ptr<Call> begin(v1::Link::Stub& stub) {
  auto call = std::make_unique<Call>();
  auto* made = call.get();
  stub.async()->RenewCertificate(
      &made->context, &made->request, &made->response,
      [made](grpc::Status status) { made->ended.set_value(std::move(status)); });
  return call;
}

/// A connection of its own for each.
std::unique_ptr<v1::Link::Stub> connect(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Link::NewStub(grpc::CreateCustomChannel(
      "127.0.0.1:" + std::to_string(port), grpc::InsecureChannelCredentials(), arguments));
}

TEST(TuneServer, TakesSixteenCallsAtOnceOfOneConnection) {
  SlowLink service;
  int port = 0;
  grpc::ServerBuilder builder;
  tune_server(builder);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  const auto server = builder.BuildAndStart();
  ASSERT_TRUE(server);
  const auto greedy = connect(port), other = connect(port);
  std::vector<std::unique_ptr<Call>> calls;
  // The first call brings the server's limit; until it is known a client may go beyond.
  calls.push_back(begin(*greedy));
  ASSERT_TRUE(eventually([&] { return service.waiting() == 1; }));
  while (calls.size() < 17) calls.push_back(begin(*greedy));
  ASSERT_TRUE(eventually([&] { return service.waiting() == 16; }));
  calls.push_back(begin(*other));
  ASSERT_TRUE(eventually([&] { return service.waiting() >= 17; })) << "others are not kept waiting";
  EXPECT_EQ(service.waiting(), 17U) << "one of 18 has not begun";
  service.answer_one();
  EXPECT_TRUE(eventually([&] { return service.waiting() == 17; })) << "it has its turn";
  while (service.waiting() > 0) service.answer_one();
  for (const auto& call : calls) EXPECT_TRUE(call->ended.get_future().get().ok());
  server->Shutdown();
}

}  // namespace
}  // namespace farboot
