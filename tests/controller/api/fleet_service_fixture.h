// The operator's service over real gRPC with mTLS on loopback, the stores in memory.
#pragma once

#include "controller/api/fleet_service.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "common/rpc/status_map.h"
#include "farboot/v1/fleet.grpc.pb.h"
#include "tests/support/test_controller.h"

namespace farboot {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Stub = v1::FleetService::Stub;

class FleetServiceTest : public ::testing::Test {
 protected:
  std::unique_ptr<Stub> stub_of(const Credentials& credentials) {
    const auto channel = dial(controller_.address(), credentials);
    EXPECT_TRUE(channel);
    return v1::FleetService::NewStub(*channel);
  }
  std::unique_ptr<Stub> stub_of(Role role) {
    return stub_of(controller_.operator_credentials(role));
  }
  template <class Method, class Request, class Answer>
  Result<void> call(Stub& stub, Method method, const Request& request, Answer& answer) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + Seconds(60));
    return to_result((stub.*method)(&context, request, &answer));
  }
  template <class Method, class Request, class Answer>
  Result<void> call(Method method, const Request& request, Answer& answer) {
    return call(*admin_, method, request, answer);
  }

  v1::FleetSpec spec() {
    v1::FleetSpec out;
    out.mutable_menu()->set_title("menu");
    out.mutable_menu()->add_entries("c7");
    v1::EntrySpec& entry = *out.add_entries();
    entry.set_name("c7");
    entry.set_title("CentOS 7");
    entry.set_kind(v1::ENTRY_KIND_INSTALL);
    entry.set_image("centos7");
    entry.set_kickstart("base");
    entry.set_args_style("inst");
    (*out.mutable_kickstarts())["base"] = "text\nreboot\n";
    v1::SiteSpec& site = *out.add_sites();
    site.set_name("lyon");
    v1::HostSpec& host = *site.add_hosts();
    host.set_name("web1");
    host.add_macs("52:54:00:00:00:01");
    host.set_entry("c7");
    host.set_install(true);
    return out;
  }
  void add_asset(v1::FleetSpec& to, const std::string& path, const std::string& content) {
    const std::string digest = sha256(as_bytes(content)).hex();
    v1::AssetSpec& asset = *to.add_assets();
    asset.set_path(path);
    asset.set_mode(0644);
    asset.set_size_bytes(content.size());
    asset.set_sha256(digest);
    v1::AssetChunk& chunk = *asset.add_chunks();
    chunk.set_sha256(digest);
    chunk.set_size_bytes(static_cast<std::uint32_t>(content.size()));
  }
  v1::FleetSpec piece(const std::string& content) {
    v1::FleetSpec out;
    out.add_pieces()->set_content(content);
    return out;
  }
  Result<v1::ApplyFleetResponse> apply(const std::vector<v1::FleetSpec>& parts) {
    grpc::ClientContext context;
    v1::ApplyFleetResponse answer;
    const auto writer = admin_->ApplyFleet(&context, &answer);
    for (const v1::FleetSpec& part : parts)
      if (!writer->Write(part)) break;
    writer->WritesDone();
    const auto done = to_result(writer->Finish());
    if (!done) return done.error();
    return answer;
  }
  v1::Rollout start_rollout() {
    v1::StartRolloutRequest request;
    request.set_release("r1");
    request.add_waves()->add_selectors("all");
    v1::Rollout rollout;
    const auto started = call(&Stub::StartRollout, request, rollout);
    EXPECT_TRUE(started) << started.error().what;
    return rollout;
  }

  TestController controller_;
  std::unique_ptr<Stub> admin_ = stub_of(Role::admin);
};

}  // namespace farboot
