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
    EXPECT_TRUE(doctors_.again(kAsked).empty()) << "it is forgotten";
    EXPECT_EQ(doctors_.again("lyon/pi2").size(), 1U) << "others are not";
    return result;
  }

  std::optional<Errc> expected;  ///< none: its findings

 private:
  bool happens(std::uint64_t request, std::uint64_t another) {
    switch (random_() % 8) {
      case 0: connected_ = false; break;
      case 1:
        connected_ = true;
        EXPECT_EQ(doctors_.again(kAsked), std::vector{request});
        break;
      case 2: doctors_.answer("lyon/pi2", request, {{.check = "of another"}}); break;
      case 3: doctors_.answer(kAsked, another, {{.check = "of another"}}); break;
      case 4:
        if (random_() % 4 != 0) break;
        doctors_.answer(kAsked, request, {{.check = "its own"}});
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

  std::mt19937 random_;
  FakeClock clock_;
  Doctors doctors_;
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
