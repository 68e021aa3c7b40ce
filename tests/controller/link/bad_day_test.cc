// What goes wrong at the controller itself, or comes too late, and what becomes of it.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <new>

#include "tests/controller/link/link_service_fixture.h"

namespace farboot {
namespace {

using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;
using Body = v1::ControllerMessage;

/// Holds who comes until it is opened.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    ++held_;
    opened_.wait(lock, [this] { return open_; });
  }
  int held() {
    const std::lock_guard lock(mutex_);
    return held_;
  }
  void open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  int held_ = 0;
  bool open_ = false;
};

class LinkLate : public LinkServiceTest {
 protected:
  void TearDown() override {
    gate_.open();
    controller_.stop();
  }
  Gate gate_;
};

v1::AgentMessage report_of(const std::string& version) {
  v1::AgentMessage message;
  message.mutable_report()->set_version(version);
  return message;
}

TEST_F(LinkLate, AReportOnItsWayWhenTheStreamEndsMakesNobodyOnline) {
  controller_.before_report([&](const AgentReport&) { gate_.wait(); });
  auto agent = connected();
  ASSERT_TRUE(agent->say(report_of("late")));
  ASSERT_TRUE(eventually([&] { return gate_.held() == 1; }));
  agent.reset();
  EXPECT_TRUE(eventually([&] { return !controller_.online("lyon/pi1"); }));
  gate_.open();
  EXPECT_TRUE(eventually([&] { return controller_.report("lyon/pi1")->version == "late"; }));
  EXPECT_FALSE(controller_.online("lyon/pi1"));
}

TEST_F(LinkLate, AReportThatWaitsLongerThanItsStreamIsNotTaken) {
  std::atomic<int> heard{0};
  controller_.watch({[&] { ++heard; }, nullptr, nullptr});
  controller_.before_report([&](const AgentReport& report) {
    if (report.agent != "lyon/pi1") gate_.wait();
  });
  auto agent = connected();
  // As many others as there are threads: what comes after them waits.
  std::vector<std::unique_ptr<HandAgent>> others;
  for (const char* name : {"pi2", "pi3", "pi4", "pi5"}) {
    others.push_back(connected(channel(controller_.enrol("lyon", name, controller_.identity))));
    ASSERT_TRUE(others.back()->say(report_of("other")));
  }
  ASSERT_TRUE(eventually([&] { return gate_.held() == 4; }));
  ASSERT_TRUE(agent->say(report_of("old")));
  EXPECT_TRUE(eventually([&] { return heard == 10; })) << "five hellos, five reports";
  agent.reset();
  EXPECT_TRUE(eventually([&] { return !controller_.online("lyon/pi1"); }));
  gate_.open();
  agent = connected();
  ASSERT_TRUE(agent->say(report_of("new")));
  EXPECT_TRUE(eventually([&] { return controller_.report("lyon/pi1")->version == "new"; }));
  EXPECT_EQ(controller_.counts().reports, 5U) << "four others and the new one";
}

TEST_F(LinkLate, AJobThatThrowsEndsItsStreamAndNoOther) {
  controller_.before_report([](const AgentReport& report) {
    if (report.version == "bad") throw std::bad_alloc();  // or a library's
  });
  auto agent = connected();
  auto other = connected(channel(controller_.enrol("lyon", "pi2", controller_.identity)));
  CaptureStderr();
  ASSERT_TRUE(agent->say(report_of("bad")));
  const Error error = agent->end();
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.job_failed"));
  EXPECT_EQ(error.code, Errc::internal);
  EXPECT_THAT(error.what, HasSubstr("whose log says more"));
  ASSERT_TRUE(other->say(report_of("good")));
  EXPECT_TRUE(eventually([&] { return controller_.report("lyon/pi2")->version == "good"; }));
}

class LinkQueue : public LinkLate {
 protected:
  /// As many as there are threads: what is posted now waits until the gate opens.
  void hold_the_pool() {
    controller_.before_report([&](const AgentReport&) { gate_.wait(); });
    for (const char* name : {"pi2", "pi3", "pi4", "pi5"}) {
      busy_.push_back(connected(channel(controller_.enrol("lyon", name, controller_.identity))));
      ASSERT_TRUE(busy_.back()->say(report_of("busy")));
    }
    ASSERT_TRUE(eventually([&] { return gate_.held() == 4; }));
  }
  /// An answer means that the call was not posted.
  static Error renew(const std::shared_ptr<grpc::Channel>& over,
                     const v1::RenewCertificateRequest& request) {
    const auto context = patient();
    v1::RenewCertificateResponse response;
    return to_error(v1::Link::NewStub(over)->RenewCertificate(context.get(), request, &response));
  }
  /// `request` with a field of this many bytes that this version does not know.
  template <class Message>
  static Message padded(Message request) {
    Message later;
    EXPECT_TRUE(later.ParseFromString("\x9a\x06\x80\x80\x10" + std::string(262'144, 'x')));
    request.MergeFrom(later);
    return request;
  }
  std::vector<std::unique_ptr<HandAgent>> busy_;
};

TEST_F(LinkQueue, WhoHasNoAgentsCertificateDoesNotReachIt) {
  const auto nobody = channel(Credentials{controller_.authority->ca_pem(), "", ""});
  hold_the_pool();
  EXPECT_EQ(HandAgent(nobody).end().code, Errc::denied);
  EXPECT_EQ(renew(nobody, {}).code, Errc::denied);
  const Digest chunk;
  EXPECT_EQ(fetch(nobody, want(chunk, std::span(&chunk, 1))).error.code, Errc::denied);
  EXPECT_EQ(controller_.enrolment->counts().agent_refused, 3U);
}

TEST_F(LinkQueue, ARequestThatIsLargeInAnyOfItsFieldsDoesNotReachIt) {
  const auto over = channel(lyon_);
  v1::RenewCertificateRequest long_text, unknown;
  long_text.set_csr_pem(std::string(65'536, 'x'));
  unknown.set_csr_pem(controller_.identity.csr_pem());
  const Digest chunk;
  hold_the_pool();
  for (const auto& request : {long_text, padded(unknown)}) {
    const Error error = renew(over, request);
    EXPECT_EQ(error.code, Errc::invalid);
    EXPECT_THAT(error.what, HasSubstr("too long"));
  }
  const Error error = fetch(over, padded(want(chunk, std::span(&chunk, 1)))).error;
  EXPECT_EQ(error.code, Errc::invalid);
  EXPECT_THAT(error.what, HasSubstr("too long"));
}

class LinkSilence : public LinkServiceTest {
 protected:
  LinkSilence() : LinkServiceTest({.hello_wait = Milliseconds(50)}) {}
};

TEST_F(LinkSilence, AStreamWithoutAHelloEnds) {
  HandAgent agent(channel(lyon_));
  const Error error = agent.end();
  EXPECT_EQ(error.code, Errc::timeout);
  EXPECT_THAT(error.what, HasSubstr("no hello came"));
}

class LinkPushAgain : public LinkServiceTest {
 protected:
  LinkPushAgain() : LinkServiceTest({.push_again = Milliseconds(20)}) {}
  std::string stored(const std::string& key) { return (*controller_.state->get(key))->value; }
  void store(const std::string& key, const std::string& value) {
    ASSERT_TRUE(controller_.state->put(key, value));
  }
};

TEST_F(LinkPushAgain, AnOfferThatCouldNotBeMadeFollowsWhenItCan) {
  const Digest release = controller_.add_release(3);
  const std::string key = "release/" + release.hex(), honest = stored(key);
  std::string changed = honest;
  changed.replace(changed.find("centos7"), 7, "centos8");
  store(key, changed);
  auto agent = connected();
  CaptureStderr();
  controller_.order("lyon", {}, release);
  EXPECT_TRUE(agent->hear(Body::kDesiredState).has_desired_state());
  HandAgent late(channel(controller_.enrol("lyon", "pi2", controller_.identity)));
  ASSERT_TRUE(late.hello());
  EXPECT_TRUE(late.hear(Body::kDesiredState).has_desired_state());
  EXPECT_EQ(controller_.counts().releases_refused, std::set<Digest>{release});
  store(key, honest);
  for (HandAgent* one : {agent.get(), &late}) {
    const auto offer = one->hear(Body::kOffer);
    ASSERT_EQ(offer.body_case(), Body::kOffer);
    EXPECT_EQ(from_proto(DocumentKind::release, offer.offer().release())->digest(), release);
  }
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("event=link.push_failed site=lyon"));
}

TEST_F(LinkPushAgain, APushThatThrowsIsMadeAgainAndCostsNoOtherSiteIts) {
  auto lyon = connected();
  auto oslo = connected(channel(controller_.enrol("oslo", "pi1", controller_.identity)));
  for (const auto& agent : {lyon.get(), oslo.get()}) ASSERT_TRUE(agent->say(report_of("here")));
  // Their hellos, which read what is desired as well, are over.
  ASSERT_TRUE(eventually([&] { return controller_.counts().reports == 2; }));
  // When they are pushed, and lyon when it is told again too.
  std::atomic<int> lyons{3}, oslos{1};
  controller_.before_read([&](std::string_view key) {
    if (key == "desired/lyon" && lyons.fetch_sub(1) > 0) throw std::bad_alloc();  // or a library's
    if (key == "desired/oslo" && oslos.fetch_sub(1) > 0) throw std::bad_alloc();
  });
  CaptureStderr();
  controller_.order("lyon", {}, controller_.add_release(1));
  controller_.order("oslo", {}, controller_.add_release(1));
  for (HandAgent* agent : {lyon.get(), oslo.get()}) {
    EXPECT_TRUE(agent->hear(Body::kDesiredState).has_desired_state());
    EXPECT_EQ(agent->hear(Body::kOffer).body_case(), Body::kOffer);
  }
  const std::string log = GetCapturedStderr();
  const std::size_t again = lines_of("link.push_failed", log);
  EXPECT_GE(again, 1U)
      << "an order is two changes at the most: lyon's third throws when made again";
  EXPECT_EQ(lines_of("link.job_failed", log) + again, 4U) << "one for each";
  controller_.before_read(nullptr);
}

}  // namespace
}  // namespace farboot
