// farboot rollout start|watch|status|list|pause|resume|abort
#include <algorithm>

#include <CLI/CLI.hpp>

#include "controller/cli/rollout_view.h"
#include "controller/cli/session.h"

namespace farboot {
namespace {

using Stub = v1::FleetService::Stub;

/// Draws over what it drew before.
class Screen {
 public:
  explicit Screen(Terminal& terminal) : terminal_(terminal) {}
  void draw(const std::string& picture) {
    if (lines_ > 0) terminal_.out << "\x1b[" << lines_ << "A\x1b[J";
    terminal_.out << picture << std::flush;
    lines_ = std::count(picture.begin(), picture.end(), '\n');
  }

 private:
  Terminal& terminal_;
  std::ptrdiff_t lines_ = 0;
};

Exit watch(Session& session, const std::string& id) {
  const auto stub = session.controller();
  if (!stub) return session.report(stub.error());
  v1::GetRolloutRequest request;
  request.set_id(id);
  grpc::ClientContext context;
  const auto stream = (*stub)->WatchRollout(&context, request);
  Terminal& terminal = session.terminal();
  Screen screen(terminal);
  RolloutLog news;
  v1::Rollout rollout;
  while (stream->Read(&rollout)) {
    if (session.json()) {
      terminal.out << to_json(rollout, -1) << "\n" << std::flush;
    } else if (terminal.out_is_tty) {
      screen.draw(rollout_picture(terminal, rollout));
    } else {
      for (const std::string& line : news.news(rollout)) terminal.out << line << "\n";
      terminal.out << std::flush;
    }
  }
  const auto done = session.result(stream->Finish());
  if (!done) return session.report(done.error());
  return went_well(rollout) ? Exit::done : Exit::failed;
}

Exit show_rollout(Session& session, const v1::Rollout& rollout) {
  return session.print(rollout, [&] { return rollout_picture(session.terminal(), rollout); });
}

Exit rollout_status(Session& session, const std::string& id) {
  v1::GetRolloutRequest request;
  request.set_id(id);
  v1::Rollout rollout;
  const auto done = session.call(&Stub::GetRollout, request, rollout);
  if (!done) return session.report(done.error());
  return show_rollout(session, rollout);
}

Exit list_rollouts(Session& session) {
  v1::ListRolloutsResponse answer;
  const auto done = session.call(&Stub::ListRollouts, v1::ListRolloutsRequest(), answer);
  if (!done) return session.report(done.error());
  return session.print(answer, [&]() -> std::string {
    if (answer.rollouts().empty()) return "no rollouts yet; `farboot rollout start r1 --all`\n";
    Table table({"ROLLOUT", "RELEASE", "STATE", "STARTED", "FINISHED", "BY", "REASON"});
    for (const v1::Rollout& rollout : answer.rollouts())
      table.add({rollout.id(), release_text(rollout.release()), state_word(rollout.state()),
                 time_text(rollout.started()), time_text(rollout.finished()), rollout.started_by(),
                 rollout.reason()});
    return table.text(session.terminal());
  });
}

template <class Method>
Exit change(Session& session, Method method, const std::string& id, const std::string& reason) {
  v1::ChangeRolloutRequest request;
  request.set_id(id);
  request.set_reason(reason);
  v1::Rollout rollout;
  const auto done = session.call(method, request, rollout);
  if (!done) return session.report(done.error());
  return session.print(rollout, [&] {
    return fmt::format("rollout {} is {}\n", rollout.id(), state_word(rollout.state()));
  });
}

struct StartOptions {
  std::string release, offline = "skip", on_failure = "hold", comment;
  std::vector<std::string> sites, waves;
  bool all = false, watch = false;
  std::uint32_t at_once = 10, failures = 0, soak = 0;
};

/// `tier=canary,site=lyon` → selectors
void add_wave(v1::StartRolloutRequest& request, const std::string& text, std::uint32_t soak) {
  v1::WaveSpec& wave = *request.add_waves();
  wave.set_soak_seconds(soak);
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) wave.add_selectors(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

Exit start(Session& session, const StartOptions& options) {
  v1::StartRolloutRequest request;
  request.set_release(options.release);
  request.set_comment(options.comment);
  for (const std::string& wave : options.waves) add_wave(request, wave, options.soak);
  if (options.all) request.add_waves()->add_selectors("all");
  if (!options.sites.empty()) {
    v1::WaveSpec& wave = *request.add_waves();
    for (const std::string& site : options.sites) wave.add_selectors("site=" + site);
  }
  v1::RolloutPolicy& policy = *request.mutable_policy();
  policy.set_sites_at_once_max(options.at_once);
  policy.set_failures_max(options.failures);
  policy.set_offline(options.offline == "wait" ? v1::OFFLINE_POLICY_WAIT : v1::OFFLINE_POLICY_SKIP);
  policy.set_on_failure(options.on_failure == "return" ? v1::FAILURE_POLICY_RETURN
                                                       : v1::FAILURE_POLICY_HOLD);
  v1::Rollout rollout;
  const auto done = session.call(&Stub::StartRollout, request, rollout);
  if (!done) return session.report(done.error());
  if (options.watch) return watch(session, rollout.id());
  return session.print(rollout, [&] {
    return fmt::format("rollout {} of {} to {} site{} has begun: `farboot rollout watch {}`\n",
                       rollout.id(), release_text(rollout.release()), rollout.targets_size(),
                       rollout.targets_size() == 1 ? "" : "s", rollout.id());
  });
}

void add_start(CLI::App& rollout, Session& session) {
  auto options = std::make_shared<StartOptions>();
  CLI::App& verb =
      add_verb(rollout, "start", "bring a release to sites: stage, prove, activate, in waves",
               "farboot rollout start r7 --wave tier=canary --wave all --soak 600 --watch");
  verb.add_option("release", options->release, "r7, or the beginning of its digest")->required();
  CLI::Option* const sites = verb.add_option("--site", options->sites, "these sites, in one wave");
  CLI::Option* const all = verb.add_flag("--all", options->all, "every site, in one wave");
  CLI::Option* const waves =
      verb.add_option("--wave", options->waves,
                      "one wave: all, site=NAME, LABEL=VALUE, N%; several with commas")
          ->type_name("SELECTORS");
  sites->excludes(all)->excludes(waves);
  all->excludes(waves);
  verb.add_option("--at-once", options->at_once, "sites under way at once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  verb.add_option("--failures", options->failures, "failed sites that do not stop it")
      ->capture_default_str();
  verb.add_option("--soak", options->soak, "seconds between two waves")->capture_default_str();
  verb.add_option("--offline", options->offline, "sites that are away: skip them, or wait")
      ->check(CLI::IsMember({"skip", "wait"}))
      ->capture_default_str();
  verb.add_option("--on-failure", options->on_failure,
                  "when it stops: hold sites as they are, or return them to what they served")
      ->check(CLI::IsMember({"hold", "return"}))
      ->capture_default_str();
  verb.add_option("--comment", options->comment, "kept with the rollout")->type_name("TEXT");
  verb.add_flag("--watch", options->watch, "stay and watch");
  verb.callback([&session, options] {
    if (options->sites.empty() && options->waves.empty() && !options->all)
      throw CLI::RequiredError("one of --site, --all, --wave");
    session.exit = start(session, *options);
  });
}

template <class Method>
void add_change(CLI::App& rollout, Session& session, const std::string& name,
                const std::string& help, const std::string& example, Method method) {
  auto id = std::make_shared<std::string>(), reason = std::make_shared<std::string>();
  CLI::App& verb = add_verb(rollout, name, help, example);
  verb.add_option("id", *id, "default: the one that has not ended");
  verb.add_option("--reason", *reason, "kept with the rollout")->type_name("TEXT");
  verb.callback(
      [&session, method, id, reason] { session.exit = change(session, method, *id, *reason); });
}

}  // namespace

void add_rollout_verbs(CLI::App& app, Session& session) {
  CLI::App& rollout = add_noun(app, "rollout", "bringing a release to sites");
  add_start(rollout, session);
  for (const bool live : {true, false}) {
    auto id = std::make_shared<std::string>();
    CLI::App& verb =
        live ? add_verb(rollout, "watch",
                        "a live view until it ends; exit code 1 unless each site is active",
                        "farboot rollout watch")
             : add_verb(rollout, "status", "how it stands now", "farboot rollout status 3");
    verb.add_option("id", *id, "default: the newest");
    verb.callback([&session, id, live] {
      session.exit = live ? watch(session, *id) : rollout_status(session, *id);
    });
  }
  add_verb(rollout, "list", "all rollouts, newest first", "farboot rollout list")
      .callback([&session] { session.exit = list_rollouts(session); });
  add_change(rollout, session, "pause", "order nothing new until resumed",
             "farboot rollout pause --reason \"lunch\"", &Stub::PauseRollout);
  add_change(rollout, session, "resume", "go on after a pause", "farboot rollout resume",
             &Stub::ResumeRollout);
  add_change(rollout, session, "abort", "end it; sites that activated keep the release",
             "farboot rollout abort --reason \"wrong release\"", &Stub::AbortRollout);
}

}  // namespace farboot
