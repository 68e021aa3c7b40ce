#include "tests/support/test_controller.h"

#include <fstream>

#include <grpcpp/grpcpp.h>

#include "common/base/check.h"
#include "common/content/ready_proof.h"

namespace farboot {
namespace {

std::unique_ptr<Authority> open_authority(const TempFolder& folder, const Clock& clock) {
  auto authority = Authority::open(folder / "ca", clock);
  FARBOOT_CHECK(authority.has_value());
  return std::move(*authority);
}

}  // namespace

TestController::TestController(std::uint64_t content_budget_bytes)
    // Certificates are checked against the machine's clock, so this one stands at now.
    : clock(std::chrono::floor<Seconds>(system_clock().wall())),
      content(content_budget_bytes),
      authority(open_authority(folder, clock)),
      enrolment(state, *authority, clock),
      operators(state, *authority, clock) {
  FARBOOT_CHECK(fleet.open().has_value());
  service_ = std::make_unique<FleetService>(FleetService::Parts{
      state, content, *authority, enrolment, operators, images, releases, fleet, rollouts, clock,
      "controller.test:7443", "0.1.0-test", folder / "imports",
      [this] {
        return Refusals{.operators = operators.refused(), .releases = releases.changed().size()};
      },
      [this](const std::vector<std::string>& agents, const std::function<bool()>& given_up) {
        if (diagnose) return diagnose(agents, given_up);
        Diagnoses none;
        for (const std::string& agent : agents)
          none.emplace(agent, fail(Errc::unavailable, "it is not connected"));
        return none;
      }});
  const auto server = authority->issue_server({"127.0.0.1", "localhost"});
  FARBOOT_CHECK(server.has_value());
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(
      "127.0.0.1:0",
      server_credentials(
          {authority->ca_pem(), server->certificate.certificate_pem, server->key_pem}),
      &port);
  tune_server(builder);
  builder.RegisterService(&service_->service());
  server_ = builder.BuildAndStart();
  FARBOOT_CHECK(server_ != nullptr && port != 0);
  address_ = fmt::format("127.0.0.1:{}", port);
}

TestController::~TestController() {
  runner.stop();
  stop();
}

void TestController::stop() {
  if (!server_) return;
  service_->stop();
  server_->Shutdown(std::chrono::system_clock::now() + Seconds(5));
  server_->Wait();
  server_.reset();
}

Credentials TestController::operator_credentials(Role role) {
  const IdentityKey own = IdentityKey::generate();
  const auto issued = operators.issue({"ada", role, own.csr_pem(), "test"});
  FARBOOT_CHECK(issued.has_value());
  return {authority->ca_pem(), issued->certificate_pem, own.to_pem()};
}

std::filesystem::path TestController::context(Role role) {
  const std::filesystem::path path = folder / ("context-" + std::string(to_string(role)));
  if (std::filesystem::exists(path)) return path;
  std::filesystem::create_directories(path);
  const Credentials credentials = operator_credentials(role);
  std::ofstream(path / "ca.pem") << credentials.ca_pem;
  std::ofstream(path / "cert.pem") << credentials.certificate_pem;
  std::ofstream(path / "key.pem") << credentials.key_pem;
  std::ofstream(path / "context.json") << R"({"address": ")" << address_ << "\"}\n";
  std::filesystem::permissions(path / "key.pem", std::filesystem::perms::owner_read);
  return path;
}

ImageRecord TestController::add_image(const std::string& name, const std::string& tag) {
  const Bytes bytes = to_bytes("kernel of " + name + "@" + tag);
  const Digest chunk = sha256(bytes);
  FARBOOT_CHECK(content.put(chunk, bytes).has_value());
  const auto size = static_cast<std::uint32_t>(bytes.size());
  Image image;
  image.name = name;
  image.tag = tag;
  image.manifest =
      *put_manifest(content, Manifest{{{"vmlinuz", 0644, size, chunk, {{chunk, size}}}}});
  image.facts = {"redhat", "CentOS", "7", "x86_64", "vmlinuz", "", "", ""};
  image.size_bytes = size;
  const auto record = images.add(image, "/srv/" + name + ".iso", clock.wall());
  FARBOOT_CHECK(record.has_value());
  return *record;
}

void TestController::enrol(const std::string& site, const std::string& name) {
  AgentRecord agent;
  agent.id = site + "/" + name;
  agent.site = site;
  agent.name = name;
  agent.enrolled = clock.wall();
  agent.certificate_expires = clock.wall() + std::chrono::hours(90 * 24);
  agent.public_key_pem = identity.public_pem();
  FARBOOT_CHECK(state.put("agent/" + agent.id, encode_agent_record(agent)).has_value());
}

AgentReport TestController::report(const std::string& agent) const {
  AgentReport out;
  out.agent = agent;
  out.site = agent.substr(0, agent.find('/'));
  out.version = "0.1.0";
  out.disk_free_bytes = 20'000'000'000;
  return out;
}

SignedDocument TestController::ready_proof(const std::string& agent, const Digest& release) const {
  ReadyProof proof;
  proof.agent = agent;
  proof.release = release;
  proof.root = *rollouts.proof_root(release);
  return identity.sign(DocumentKind::ready, encode_ready_proof(proof));
}

}  // namespace farboot
