#include "controller/link/doctors.h"

#include <random>

#include <gtest/gtest.h>

#include "tests/support/fake_clock.h"

namespace farboot {
namespace {

constexpr const char* kAsked = "lyon/pi1";

/// What happens while one waits, drawn from a seed, and what must come of it. Runs between the
/// looks, where any other thread could.
class DoctorsDay {
 public:
  explicit DoctorsDay(std::uint32_t seed) : random_(seed) {}

  Result<std::vector<AgentFinding>> wait() {
    const std::uint64_t request = doctors_.ask(kAsked);
    const std::uint64_t another = doctors_.ask("lyon/pi2");
    const std::function<bool()> looked = [&] { return happens(request, another); };
    const std::function<bool()> connected = [&] { return connected_; };
    auto result = doctors_.wait(
        request, {clock_, clock_.steady() + Seconds(8), looked, connected, Milliseconds(0)});
    EXPECT_TRUE(doctors_.due(kAsked, new_line()).empty()) << "it is forgotten";
    EXPECT_EQ(doctors_.due("lyon/pi2", new_line()).size(), 1U) << "others are not";
    return result;
  }

  std::optional<Errc> expected;  ///< none: its findings

 private:
  bool happens(std::uint64_t request, std::uint64_t another) {
    switch (random_() % 8) {
      case 0: connected_ = false; break;
      case 1:
        connected_ = true;
        line_ = new_line();
        [[fallthrough]];
      case 2:
        if (!comes_back(request)) return false;
        break;
      case 6: doctors_.answer("lyon/pi2", request, found("of another")); break;
      case 3: doctors_.answer(kAsked, another, found("of another")); break;
      case 4:
        if (random_() % 4 != 0) break;
        doctors_.answer(kAsked, request, found("its own"));
        return false;
      case 5:
        if (random_() % 16 != 0) break;
        doctors_.dismiss(kAsked);
        expected = Errc::unavailable;
        return false;
      default: break;
    }
    // Looked at before this: only the next look sees the time.
    if (late_) expected = was_connected_ ? Errc::timeout : Errc::unavailable;
    clock_.advance(Seconds(1));
    late_ = ++seconds_ >= 8;
    was_connected_ = connected_;
    return false;
  }

  static std::vector<AgentFinding> found(const char* check) { return {{.check = check}}; }
  static Doctors::Line new_line() { return std::make_shared<const int>(); }

  /// On its line, which may be the one it was asked on. False: asked too often, that settles it.
  bool comes_back(std::uint64_t request) {
    const bool asked = line_ != asked_on_, often = asks_ == kDoctorAsksMax;
    asked_on_ = line_;
    EXPECT_EQ(doctors_.due(kAsked, line_),
              asked && !often ? std::vector{request} : std::vector<std::uint64_t>());
    if (!asked) return true;
    if (often) expected = Errc::unavailable;
    ++asks_;
    return !often;
  }

  std::mt19937 random_;
  FakeClock clock_;
  Doctors doctors_;
  Doctors::Line line_ = new_line(), asked_on_;
  int asks_ = 0;
  bool connected_ = true, was_connected_ = true, late_ = false;
  int seconds_ = 0;
};

TEST(Doctors, WaitForWhatComesInTimeWhateverHappens) {
  int answered = 0, late = 0, away = 0;
  for (std::uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(seed);
    DoctorsDay day(seed);
    const auto found = day.wait();
    if (found) {
      EXPECT_EQ(found->at(0).check, "its own");
      ++answered;
    } else {
      EXPECT_EQ(found.error().code, day.expected) << found.error().what;
      ++(found.error().code == Errc::timeout ? late : away);
    }
  }
  EXPECT_GT(answered, 50);
  EXPECT_GT(late, 50);
  EXPECT_GT(away, 50);
}

}  // namespace
}  // namespace farboot
