CREATE TABLE `archive` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `topic_id` int(10) unsigned NOT NULL,
  `name` varbinary(255) NOT NULL,
  `instance` varbinary(64) NOT NULL,
  `opened_at` bigint(20) unsigned NOT NULL,
  `first_position` bigint(20) unsigned NOT NULL,
  `last_position` bigint(20) unsigned NOT NULL,
  `entries` bigint(20) unsigned NOT NULL,
  `payload_bytes` bigint(20) unsigned NOT NULL,
  `first_at` bigint(20) unsigned NOT NULL,
  `last_at` bigint(20) unsigned NOT NULL,
  `file_bytes` bigint(20) unsigned NOT NULL,
  `sealed_at` bigint(20) unsigned DEFAULT NULL,
  `sha256` binary(32) DEFAULT NULL,
  `digest` binary(32) DEFAULT NULL,
  KEY `archive_topic` (`topic_id`,`id`),
  KEY `archive_unsealed` (`sealed_at`,`instance`),
  PRIMARY KEY (`id`),
  UNIQUE KEY `archive_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `archive_hold` (
  `topic_id` int(10) unsigned NOT NULL,
  `held_since` bigint(20) unsigned NOT NULL,
  `problem` varbinary(255) NOT NULL,
  `instance` varbinary(255) NOT NULL,
  PRIMARY KEY (`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `archive_stream` (
  `stream_id` bigint(20) unsigned NOT NULL,
  `archive_id` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`stream_id`,`archive_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `archive_subject` (
  `subject_key` binary(16) NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `archive_id` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`subject_key`,`context_id`,`archive_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `attempt` (
  `cawin_id` bigint(20) unsigned NOT NULL,
  `kind` tinyint(3) unsigned NOT NULL,
  `number` int(10) unsigned NOT NULL,
  `started_at` bigint(20) unsigned NOT NULL,
  `outcome` tinyint(3) unsigned NOT NULL,
  `reason` varbinary(32) NOT NULL,
  `status` varbinary(255) NOT NULL,
  `status_code` int(10) unsigned NOT NULL,
  `latency_us` bigint(20) unsigned NOT NULL,
  `first_bytes` blob NOT NULL,
  `error` blob NOT NULL,
  PRIMARY KEY (`cawin_id`,`kind`,`number`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `cawin` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `event_id` bigint(20) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `active` tinyint(3) unsigned NOT NULL,
  `closed` tinyint(3) unsigned NOT NULL,
  `notify_on` tinyint(3) unsigned NOT NULL,
  `endpoint_id` bigint(20) unsigned NOT NULL,
  `url` varbinary(2048) NOT NULL,
  `header_names` varbinary(8192) NOT NULL,
  `timeout_ms` int(10) unsigned NOT NULL,
  `signed` tinyint(3) unsigned NOT NULL,
  `former_secret_until` bigint(20) unsigned DEFAULT NULL,
  `sealed` blob DEFAULT NULL,
  `expires_at` bigint(20) unsigned DEFAULT NULL,
  `deadline` bigint(20) unsigned DEFAULT NULL,
  `request_id` varbinary(64) DEFAULT NULL,
  `digest` varbinary(33) DEFAULT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  KEY `cawin_context` (`context_id`,`id`),
  KEY `cawin_deadline` (`deadline`),
  KEY `cawin_event` (`event_id`,`id`),
  PRIMARY KEY (`id`),
  UNIQUE KEY `cawin_request` (`context_id`,`request_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `cawins` AS select `c`.`id` AS `id`,
  `c`.`event_id` AS `event_id`,
  `c`.`active` AS `active`,
  `c`.`closed` AS `closed`,
  convert(`c`.`url` using utf8mb4) AS `url`,
  convert(`c`.`request_id` using utf8mb4) AS `request`,
  from_unixtime(`c`.`expires_at` / 1000000) AS `expires_at`,
  from_unixtime(`c`.`created_at` / 1000000) AS `created_at`,
  elt(`f`.`kind`,'OCCURRED','INVALIDATED','EXPIRED') AS `firing`,
  elt(`f`.`state`,'PENDING','DELIVERED','FAILED','HELD') AS `firing_state`,
  `f`.`attempts` AS `attempts`,
  from_unixtime(`f`.`due_at` / 1000000) AS `due_at`,
  convert(`e`.`origin` using utf8mb4) AS `endpoint`,
  elt(`e`.`state`,'CLOSED','OPEN') AS `endpoint_state` from ((`cawin` `c` left join `firing` `f` on(`f`.`cawin_id` = `c`.`id`)) left join `endpoint` `e` on(`e`.`id` = `c`.`endpoint_id`));

CREATE TABLE `consumer` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `context` varbinary(255) NOT NULL,
  `name` varbinary(255) NOT NULL,
  `settings` mediumtext NOT NULL,
  `ephemeral` tinyint(3) unsigned NOT NULL,
  `generation` bigint(20) unsigned NOT NULL,
  `generation_lease` bigint(20) unsigned NOT NULL,
  `next_lease` bigint(20) unsigned NOT NULL,
  `acked_to` bigint(20) unsigned NOT NULL,
  `acked_above` mediumblob NOT NULL,
  `moved_at` bigint(20) unsigned DEFAULT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  `deleted_at` datetime(6) DEFAULT NULL,
  `owner` varbinary(64) NOT NULL,
  `owner_address` varbinary(255) NOT NULL,
  `owner_epoch` bigint(20) unsigned NOT NULL,
  `lease_until` datetime(6) NOT NULL,
  `generation_offset` bigint(20) unsigned DEFAULT NULL,
  `paused_at` bigint(20) unsigned DEFAULT NULL,
  `paused_by` varchar(255) NOT NULL DEFAULT '',
  `pause_reason` varchar(1024) NOT NULL DEFAULT '',
  `expired_unread` bigint(20) unsigned NOT NULL DEFAULT 0,
  KEY `consumer_ephemeral` (`ephemeral`,`deleted_at`,`lease_until`),
  KEY `consumer_owner` (`owner`),
  PRIMARY KEY (`id`),
  UNIQUE KEY `consumer_name` (`context`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `consumer_gap` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `consumer_id` bigint(20) unsigned NOT NULL,
  `first_position` bigint(20) unsigned NOT NULL,
  `last_position` bigint(20) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `taken_epoch` bigint(20) unsigned NOT NULL,
  KEY `consumer_gap_consumer` (`consumer_id`,`first_position`),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `consumer_snapshot` (
  `consumer_id` bigint(20) unsigned NOT NULL,
  `name` varbinary(255) NOT NULL,
  `acked_to` bigint(20) unsigned NOT NULL,
  `acked_last` bigint(20) unsigned NOT NULL,
  `acked_above` mediumblob NOT NULL,
  `settings` mediumtext NOT NULL,
  `generation` bigint(20) unsigned NOT NULL,
  `saved_at` bigint(20) unsigned NOT NULL,
  `saved_by` varchar(255) NOT NULL,
  PRIMARY KEY (`consumer_id`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `consumer_trouble` (
  `consumer_id` bigint(20) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `attempts` int(10) unsigned NOT NULL,
  `losses` int(10) unsigned NOT NULL,
  `not_before_ms` bigint(20) unsigned NOT NULL,
  `reason` varchar(1024) NOT NULL,
  `state` tinyint(3) unsigned NOT NULL,
  `code` varchar(64) NOT NULL DEFAULT '',
  `parked_at` bigint(20) unsigned NOT NULL DEFAULT 0,
  `failed_lease` bigint(20) unsigned NOT NULL DEFAULT 0,
  KEY `consumer_trouble_position` (`position`),
  KEY `consumer_trouble_state` (`consumer_id`,`state`),
  PRIMARY KEY (`consumer_id`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `consumers` AS select `consumer`.`id` AS `id`,
  convert(`consumer`.`context` using utf8mb4) AS `context`,
  convert(`consumer`.`name` using utf8mb4) AS `name`,
  `consumer`.`acked_to` AS `acknowledged_to`,
  `consumer`.`generation` AS `generation`,
  `consumer`.`settings` AS `settings`,
  from_unixtime(`consumer`.`moved_at` / 1000000) AS `moved_at`,
  from_unixtime(`consumer`.`created_at` / 1000000) AS `created_at`,
  case when `consumer`.`lease_until` >= current_timestamp(6) then convert(`consumer`.`owner_address` using utf8mb4) else '' end AS `run_by`,
  from_unixtime(`consumer`.`paused_at` / 1000000) AS `paused_at`,
  `consumer`.`paused_by` AS `paused_by`,
  `consumer`.`pause_reason` AS `pause_reason` from `consumer` where `consumer`.`deleted_at` is null;

CREATE TABLE `context` (
  `id` int(10) unsigned NOT NULL,
  `name` varbinary(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `context_name` (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `context_setting` (
  `context_id` int(10) unsigned NOT NULL,
  `settings` mediumtext NOT NULL,
  PRIMARY KEY (`context_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_cursor` (
  `id` tinyint(3) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `counted_at` bigint(20) unsigned NOT NULL,
  `owner` varbinary(64) NOT NULL,
  `owner_epoch` bigint(20) unsigned NOT NULL,
  `lease_until` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_mark` (
  `topic_id` int(10) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`topic_id`,`context_id`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_series` (
  `topic_id` int(10) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `addressed` bigint(20) unsigned NOT NULL,
  `marked` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`topic_id`,`context_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_stream` (
  `stream_id` bigint(20) unsigned NOT NULL,
  `topic_id` int(10) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `addressed` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`stream_id`,`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_stream_day` (
  `utc_day` int(10) unsigned NOT NULL,
  `stream_id` bigint(20) unsigned NOT NULL,
  `topic_id` int(10) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`utc_day`,`stream_id`,`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_stream_month` (
  `utc_month` int(10) unsigned NOT NULL,
  `stream_id` bigint(20) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  KEY `count_stream_month_top` (`context_id`,`utc_month`,`events`),
  PRIMARY KEY (`utc_month`,`stream_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `count_topic_day` (
  `utc_day` int(10) unsigned NOT NULL,
  `topic_id` int(10) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `reserved` tinyint(3) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  KEY `count_topic_day_topic` (`topic_id`,`utc_day`,`events`,`bytes`),
  PRIMARY KEY (`utc_day`,`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `deleted_topic` (
  `topic_id` int(10) unsigned NOT NULL,
  `last_position` bigint(20) unsigned NOT NULL,
  KEY `deleted_topic_last` (`last_position`),
  PRIMARY KEY (`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `discarded_sample` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `context` varbinary(255) NOT NULL,
  `topic` varbinary(255) NOT NULL,
  `issuer` varbinary(255) NOT NULL,
  `message_id` binary(16) DEFAULT NULL,
  `discarded_at` bigint(20) unsigned NOT NULL,
  `content_type` varbinary(255) DEFAULT NULL,
  `payload_bytes` int(10) unsigned NOT NULL,
  `payload` blob DEFAULT NULL,
  `description` mediumtext DEFAULT NULL,
  KEY `discarded_sample_topic` (`context`,`topic`,`id`),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `endpoint` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `origin` varbinary(512) NOT NULL,
  `state` tinyint(3) unsigned NOT NULL,
  `failures` int(10) unsigned NOT NULL,
  `ready_at` bigint(20) unsigned NOT NULL,
  `next_probe_at` bigint(20) unsigned NOT NULL,
  `changed_at` bigint(20) unsigned NOT NULL,
  `host_id` bigint(20) unsigned DEFAULT NULL,
  `probed` varbinary(16) NOT NULL DEFAULT '',
  KEY `endpoint_host` (`host_id`,`state`),
  KEY `endpoint_ready` (`ready_at`),
  PRIMARY KEY (`id`),
  UNIQUE KEY `endpoint_origin` (`origin`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `erasure` (
  `position` bigint(20) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `subject_digest` binary(32) DEFAULT NULL,
  `stream_id` bigint(20) unsigned DEFAULT NULL,
  `before_event_id` bigint(20) unsigned NOT NULL,
  `decided_at` bigint(20) unsigned NOT NULL,
  `done_to` bigint(20) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `moved_at` bigint(20) unsigned NOT NULL,
  `finished_at` bigint(20) unsigned DEFAULT NULL,
  KEY `erasure_open` (`finished_at`,`position`),
  KEY `erasure_stream` (`stream_id`,`position`),
  KEY `erasure_subject` (`subject_digest`,`position`),
  PRIMARY KEY (`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `event_identity` (
  `topic_id` int(10) unsigned NOT NULL,
  `digest` binary(34) NOT NULL,
  `event_id` bigint(20) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  KEY `event_identity_event` (`event_id`),
  PRIMARY KEY (`topic_id`,`digest`,`event_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `event_subject` (
  `subject_key` binary(16) NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `event_id` bigint(20) unsigned NOT NULL,
  KEY `event_subject_event` (`event_id`),
  PRIMARY KEY (`subject_key`,`context_id`,`position`,`event_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `events` AS select `l`.`position` AS `position`,
  `l`.`event_id` AS `id`,
  elt(`l`.`kind`,'OCCURRED','INVALIDATED','EXPIRED','TRANSFERRED') AS `status`,
  convert(`c`.`name` using utf8mb4) AS `context`,
  convert(`t`.`name` using utf8mb4) AS `topic`,
  `l`.`version` AS `version`,
  convert(`s`.`name` using utf8mb4) AS `stream`,
  `l`.`sequence` AS `sequence`,
  convert(`l`.`issuer` using utf8mb4) AS `issuer`,
  lcase(concat_ws('-',
  substr(hex(`l`.`message_id`),1,8),
  substr(hex(`l`.`message_id`),9,4),
  substr(hex(`l`.`message_id`),13,4),
  substr(hex(`l`.`message_id`),17,4),
  substr(hex(`l`.`message_id`),21))) AS `message_id`,
  from_unixtime(`l`.`created_at` / 1000000) AS `created_at`,
  elt(`l`.`subject`,'CREATE','UPDATE','DELETE','CREATED','UPDATED','DELETED','ENABLE','ENABLED','DISABLE','DISABLED','ERROR','SUCCESS','REPORT') AS `subject`,
  convert(`l`.`session_id` using utf8mb4) AS `session_id`,
  convert(`l`.`correlation_id` using utf8mb4) AS `correlation_id`,
  convert(`l`.`recipient` using utf8mb4) AS `addressee`,
  convert(`l`.`reply_to` using utf8mb4) AS `reply_to`,
  convert(`l`.`tag` using utf8mb4) AS `tag`,
  convert(`l`.`entity_type` using utf8mb4) AS `entity_type`,
  convert(`l`.`organization` using utf8mb4) AS `organization`,
  convert(`l`.`unit` using utf8mb4) AS `unit`,
  `l`.`envelope` AS `envelope`,
  convert(`l`.`content_type` using utf8mb4) AS `content_type`,
  case when `l`.`content_type` is null or `l`.`content_type` like '%json%' then convert(`l`.`payload` using utf8mb4) end AS `json`,
  `l`.`payload` AS `payload` from (((`log` `l` join `topic` `t` on(`t`.`id` = `l`.`topic_id`)) join `context` `c` on(`c`.`id` = `l`.`context_id`)) left join `stream` `s` on(`s`.`id` = `l`.`stream_id`));

CREATE TABLE `firing` (
  `cawin_id` bigint(20) unsigned NOT NULL,
  `kind` tinyint(3) unsigned NOT NULL,
  `position` bigint(20) unsigned DEFAULT NULL,
  `endpoint_id` bigint(20) unsigned NOT NULL,
  `state` tinyint(3) unsigned NOT NULL,
  `due_at` bigint(20) unsigned DEFAULT NULL,
  `token` bigint(20) unsigned NOT NULL,
  `attempts` int(10) unsigned NOT NULL,
  `round_start` int(10) unsigned NOT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  KEY `firing_due` (`endpoint_id`,`due_at`),
  PRIMARY KEY (`cawin_id`,`kind`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `firing_cursor` (
  `id` tinyint(3) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `log_epoch` bigint(20) unsigned NOT NULL,
  `owner` varbinary(64) NOT NULL,
  `owner_epoch` bigint(20) unsigned NOT NULL,
  `lease_until` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `freed_shape` (
  `id` int(10) unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `identity_build` (
  `topic_id` int(10) unsigned NOT NULL,
  `build_id` bigint(20) unsigned NOT NULL,
  `description_paths` mediumtext NOT NULL,
  `watched_after` bigint(20) unsigned NOT NULL,
  `built_to` bigint(20) unsigned NOT NULL,
  `identified` bigint(20) unsigned NOT NULL,
  `unidentified` bigint(20) unsigned NOT NULL,
  `repeated` bigint(20) unsigned NOT NULL,
  `repeated_ids` mediumtext NOT NULL,
  `started_at` bigint(20) unsigned NOT NULL,
  `ended_at` bigint(20) unsigned DEFAULT NULL,
  PRIMARY KEY (`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `instance` (
  `id` varbinary(64) NOT NULL,
  `address` varbinary(255) NOT NULL,
  `seq` bigint(20) unsigned NOT NULL,
  `started_at` datetime(6) NOT NULL,
  `seen_at` datetime(6) NOT NULL,
  `erasures_seen` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `leapt_span` (
  `leapt_from` bigint(20) unsigned NOT NULL,
  `leapt_to` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`leapt_from`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `log` (
  `position` bigint(20) unsigned NOT NULL,
  `kind` tinyint(3) unsigned NOT NULL,
  `event_id` bigint(20) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `topic_id` int(10) unsigned NOT NULL,
  `stream_id` bigint(20) unsigned DEFAULT NULL,
  `sequence` bigint(20) unsigned DEFAULT NULL,
  `message_id` binary(16) DEFAULT NULL,
  `digest` varbinary(32) DEFAULT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  `version` int(10) unsigned NOT NULL,
  `subject` tinyint(3) unsigned NOT NULL,
  `issuer` varbinary(255) NOT NULL,
  `session_id` varbinary(64) DEFAULT NULL,
  `correlation_id` varbinary(64) DEFAULT NULL,
  `recipient` varbinary(255) DEFAULT NULL,
  `reply_to` varbinary(255) DEFAULT NULL,
  `tag` varbinary(255) DEFAULT NULL,
  `entity_type` varbinary(255) DEFAULT NULL,
  `organization` varbinary(255) DEFAULT NULL,
  `unit` varbinary(255) DEFAULT NULL,
  `envelope` mediumtext DEFAULT NULL,
  `content_type` varbinary(255) DEFAULT NULL,
  `payload_bytes` int(10) unsigned NOT NULL,
  `payload` longblob DEFAULT NULL,
  KEY `log_stream` (`stream_id`,`position`),
  KEY `log_topic` (`topic_id`,`position`),
  PRIMARY KEY (`position`),
  UNIQUE KEY `log_event` (`event_id`,`kind`),
  UNIQUE KEY `log_message` (`context_id`,`message_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `log_deletion` (
  `id` tinyint(3) unsigned NOT NULL,
  `moves` bigint(20) unsigned NOT NULL,
  `last_position` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `log_head` (
  `id` tinyint(3) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `next_event_id` bigint(20) unsigned NOT NULL,
  `next_context_id` int(10) unsigned NOT NULL,
  `next_topic_id` int(10) unsigned NOT NULL,
  `next_stream_id` bigint(20) unsigned NOT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  `catalog_version` bigint(20) unsigned NOT NULL,
  `group_token` bigint(20) unsigned NOT NULL,
  `log_epoch` bigint(20) unsigned NOT NULL,
  `next_shape_id` bigint(20) unsigned NOT NULL DEFAULT 1,
  `ledgered_at` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `offset_move` (
  `id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `consumer_id` bigint(20) unsigned NOT NULL,
  `kind` tinyint(3) unsigned NOT NULL,
  `moved_at` bigint(20) unsigned NOT NULL,
  `moved_by` varchar(255) NOT NULL,
  `reason` varchar(1024) NOT NULL,
  `snapshot` varbinary(255) NOT NULL,
  `former_offset` bigint(20) unsigned DEFAULT NULL,
  `acked_to` bigint(20) unsigned NOT NULL,
  `generation` bigint(20) unsigned NOT NULL,
  KEY `offset_move_age` (`moved_at`),
  KEY `offset_move_consumer` (`consumer_id`,`id`),
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `push_ledger` (
  `context_id` int(10) unsigned NOT NULL,
  `message_id` binary(16) NOT NULL,
  `issuer` varbinary(255) NOT NULL,
  `digest` varbinary(32) DEFAULT NULL,
  `event_id` bigint(20) unsigned NOT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  KEY `push_ledger_age` (`created_at`),
  PRIMARY KEY (`context_id`,`message_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `registered_topic` (
  `topic_id` int(10) unsigned NOT NULL,
  `registered_at` bigint(20) unsigned NOT NULL,
  `description_paths` mediumtext NOT NULL,
  `settings` mediumtext DEFAULT NULL,
  PRIMARY KEY (`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `retention_cursor` (
  `id` tinyint(3) unsigned NOT NULL,
  `owner` varbinary(64) NOT NULL,
  `owner_epoch` bigint(20) unsigned NOT NULL,
  `lease_until` bigint(20) unsigned NOT NULL,
  `sampled_at` bigint(20) unsigned NOT NULL,
  `stopped_at` bigint(20) unsigned DEFAULT NULL,
  `leapt_by` bigint(20) NOT NULL,
  `waits_until` bigint(20) unsigned NOT NULL,
  `counted_epoch` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `retention_kept` (
  `topic_id` int(10) unsigned NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `reason` tinyint(3) unsigned NOT NULL,
  `kept_at` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`topic_id`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `retention_stream` (
  `topic_id` int(10) unsigned NOT NULL,
  `stream_id` bigint(20) unsigned NOT NULL,
  `events` bigint(20) unsigned NOT NULL,
  `bytes` bigint(20) unsigned NOT NULL,
  `gone_to` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`topic_id`,`stream_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `retention_topic` (
  `topic_id` int(10) unsigned NOT NULL,
  `looked_to` bigint(20) unsigned NOT NULL,
  `gone_events` bigint(20) unsigned NOT NULL,
  `gone_bytes` bigint(20) unsigned NOT NULL,
  `gone_at` bigint(20) unsigned NOT NULL,
  `counted_to` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`topic_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `schema_info` (
  `id` tinyint(3) unsigned NOT NULL,
  `version` int(10) unsigned NOT NULL,
  `min_app_version` int(10) unsigned NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `schema_migration` (
  `id` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(255) DEFAULT NULL,
  `batch` int(11) DEFAULT NULL,
  `migration_time` timestamp NULL DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `schema_migration_lock` (
  `index` int(10) unsigned NOT NULL AUTO_INCREMENT,
  `is_locked` int(11) DEFAULT NULL,
  PRIMARY KEY (`index`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `shape` (
  `id` int(10) unsigned NOT NULL,
  `topic_id` int(10) unsigned NOT NULL,
  `digest` binary(17) NOT NULL,
  `paths` mediumblob NOT NULL,
  `ready` tinyint(3) unsigned NOT NULL,
  `watched_after` bigint(20) unsigned NOT NULL,
  `built_to` bigint(20) unsigned NOT NULL,
  `needed_at` bigint(20) unsigned NOT NULL DEFAULT 0,
  `indexed_from` bigint(20) unsigned DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `shape_paths` (`topic_id`,`digest`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `shape_index` (
  `shape_id` int(10) unsigned NOT NULL,
  `value_hash` binary(17) NOT NULL,
  `position` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`shape_id`,`value_hash`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `stream` (
  `id` bigint(20) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `name` varbinary(255) NOT NULL,
  `owner` varbinary(255) NOT NULL,
  `epoch` bigint(20) unsigned NOT NULL,
  `last_sequence` bigint(20) unsigned NOT NULL,
  `first_position` bigint(20) unsigned NOT NULL,
  `last_position` bigint(20) unsigned NOT NULL,
  `first_event_at` bigint(20) unsigned NOT NULL,
  `last_event_at` bigint(20) unsigned NOT NULL,
  `former_owner` varbinary(255) NOT NULL DEFAULT '',
  `transfer_position` bigint(20) unsigned NOT NULL DEFAULT 0,
  `truncated_to` bigint(20) unsigned NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`),
  UNIQUE KEY `stream_name` (`context_id`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `stream_truncation` (
  `stream_id` bigint(20) unsigned NOT NULL,
  `up_to_sequence` bigint(20) unsigned NOT NULL,
  PRIMARY KEY (`stream_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `topic` (
  `id` int(10) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `name` varbinary(255) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `topic_name` (`context_id`,`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE `topic_schema` (
  `topic_id` int(10) unsigned NOT NULL,
  `version` int(10) unsigned NOT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  `digest` binary(32) NOT NULL,
  `schema_text` mediumtext NOT NULL,
  PRIMARY KEY (`topic_id`,`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `topics` AS select convert(`c`.`name` using utf8mb4) AS `context`,
  convert(`t`.`name` using utf8mb4) AS `topic`,
  from_unixtime(`r`.`registered_at` / 1000000) AS `registered_at`,
  `r`.`description_paths` AS `description_paths`,
  `r`.`settings` AS `settings` from ((`topic` `t` join `context` `c` on(`c`.`id` = `t`.`context_id`)) left join `registered_topic` `r` on(`r`.`topic_id` = `t`.`id`));

CREATE TABLE `wait` (
  `event_id` bigint(20) unsigned NOT NULL,
  `context_id` int(10) unsigned NOT NULL,
  `topic_id` int(10) unsigned NOT NULL,
  `version` int(10) unsigned NOT NULL,
  `shape_id` int(10) unsigned NOT NULL,
  `value_hash` binary(17) NOT NULL,
  `state` tinyint(3) unsigned NOT NULL,
  `created_at` bigint(20) unsigned NOT NULL,
  `expires_at` bigint(20) unsigned NOT NULL,
  `entry_event_id` bigint(20) unsigned DEFAULT NULL,
  `position` bigint(20) unsigned NOT NULL,
  `issuer` varbinary(255) NOT NULL,
  `message_id` binary(16) NOT NULL,
  `description` mediumtext NOT NULL,
  `envelope` mediumtext DEFAULT NULL,
  KEY `wait_due` (`state`,`expires_at`),
  KEY `wait_entry` (`entry_event_id`),
  KEY `wait_match` (`shape_id`,`value_hash`,`state`),
  KEY `wait_open` (`state`,`event_id`),
  KEY `wait_shape` (`shape_id`,`state`,`expires_at`),
  KEY `wait_topic` (`topic_id`,`state`,`event_id`),
  PRIMARY KEY (`event_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `waits` AS select `w`.`event_id` AS `id`,
  elt(`w`.`state` + 1,'AWAITED','OCCURRED','INVALIDATED','EXPIRED') AS `status`,
  convert(`c`.`name` using utf8mb4) AS `context`,
  convert(`t`.`name` using utf8mb4) AS `topic`,
  convert(`w`.`issuer` using utf8mb4) AS `issuer`,
  `w`.`description` AS `description`,
  from_unixtime(`w`.`created_at` / 1000000) AS `created_at`,
  from_unixtime(`w`.`expires_at` / 1000000) AS `expires_at`,
  `w`.`entry_event_id` AS `ended_by_id`,
  nullif(`w`.`position`,0) AS `position` from ((`wait` `w` join `topic` `t` on(`t`.`id` = `w`.`topic_id`)) join `context` `c` on(`c`.`id` = `w`.`context_id`));
