// The gRPC services, as far as they are gRPC: each call is handed on. Private to link.
#pragma once

#include <grpcpp/grpcpp.h>

#include "farboot/v1/link.grpc.pb.h"

namespace farboot {

/// What the calls mean. On gRPC's threads: must not block.
class LinkCalls {
 public:
  using Connected = grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>;
  using Fetching = grpc::ServerWriteReactor<grpc::ByteBuffer>;

  virtual ~LinkCalls() = default;
  virtual Connected* connect(grpc::CallbackServerContext& context) = 0;
  virtual Fetching* fetch(grpc::CallbackServerContext& context,
                          const grpc::ByteBuffer& request) = 0;
  virtual grpc::ServerUnaryReactor* renew(grpc::CallbackServerContext& context,
                                          const v1::RenewCertificateRequest& in,
                                          v1::RenewCertificateResponse& out) = 0;
  virtual grpc::ServerUnaryReactor* enroll(grpc::CallbackServerContext& context,
                                           const v1::EnrollRequest& in,
                                           v1::EnrollResponse& out) = 0;
};

class EnrolmentHandlers final : public v1::Enrolment::CallbackService {
 public:
  explicit EnrolmentHandlers(LinkCalls& calls) : calls_(calls) {}
  grpc::ServerUnaryReactor* Enroll(grpc::CallbackServerContext* context,
                                   const v1::EnrollRequest* in, v1::EnrollResponse* out) override {
    return calls_.enroll(*context, *in, *out);
  }

 private:
  LinkCalls& calls_;
};

/// Chunks go out as bytes that are put together by hand: protobuf would copy each one twice.
using LinkBase = v1::Link::WithCallbackMethod_Connect<v1::Link::WithRawCallbackMethod_FetchChunks<
    v1::Link::WithCallbackMethod_RenewCertificate<v1::Link::Service>>>;

class LinkHandlers final : public LinkBase {
 public:
  explicit LinkHandlers(LinkCalls& calls) : calls_(calls) {}
  grpc::ServerBidiReactor<v1::AgentMessage, v1::ControllerMessage>* Connect(
      grpc::CallbackServerContext* context) override {
    return calls_.connect(*context);
  }
  grpc::ServerWriteReactor<grpc::ByteBuffer>* FetchChunks(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* in) override {
    return calls_.fetch(*context, *in);
  }
  grpc::ServerUnaryReactor* RenewCertificate(grpc::CallbackServerContext* context,
                                             const v1::RenewCertificateRequest* in,
                                             v1::RenewCertificateResponse* out) override {
    return calls_.renew(*context, *in, *out);
  }

 private:
  LinkCalls& calls_;
};

}  // namespace farboot
