"""What a rater does next is found by one index: their assignments name the campaign, and what is
counted for them there stands in a row of its own."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Count, OuterRef, Q, Subquery

from models_runtime.append_only import AppendOnly


def fill(apps, schema_editor):
    Assignment = apps.get_model("labeling", "Assignment")
    Comparison = apps.get_model("labeling", "Comparison")
    Seat = apps.get_model("labeling", "Seat")
    of_comparison = Comparison.objects.filter(pk=OuterRef("comparison_id"))
    Assignment.objects.update(campaign_id=Subquery(of_comparison.values("campaign_id")))
    counted = (
        Assignment.objects.order_by()
        .values_list("rater_id", "campaign_id")
        .annotate(answered=Count("pk", filter=Q(state="submitted")))
    )
    Seat.objects.bulk_create(
        (
            Seat(rater_id=rater, campaign_id=campaign, answered=answered)
            for rater, campaign, answered in counted
        ),
        batch_size=400,
    )


class Migration(migrations.Migration):
    dependencies = [("labeling", "0007_written_prompts_and_care")]
    operations = [
        migrations.CreateModel(
            name="Seat",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("answered", models.PositiveIntegerField(default=0)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seats",
                        to="labeling.campaign",
                    ),
                ),
                (
                    "rater",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="seats",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("rater", "campaign"), name="seat_once")
                ]
            },
        ),
        migrations.AddField(
            model_name="assignment",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.campaign",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="assignment",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="labeling.campaign",
            ),
        ),
        migrations.RemoveIndex(model_name="assignment", name="labeling_as_rater_i_b9dcba_idx"),
        migrations.RemoveIndex(model_name="assignment", name="labeling_as_state_3cdffe_idx"),
        migrations.AlterField(
            model_name="assignment",
            name="comparison",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assignments",
                to="labeling.comparison",
            ),
        ),
        migrations.AlterField(
            model_name="assignment",
            name="rater",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assignments",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AlterField(
            model_name="label",
            name="comparison",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="labels",
                to="labeling.comparison",
            ),
        ),
        migrations.AlterField(
            model_name="label",
            name="rater",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="labels",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                fields=["rater", "campaign", "state", "id"], name="assignment_in_hand"
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("submitted_at__isnull", False)),
                fields=["rater", "campaign", "submitted_at", "id"],
                name="assignment_recent",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                condition=models.Q(("state", "leased")),
                fields=["leased_until"],
                name="assignment_leased_until",
            ),
        ),
        # SQLite has made the table anew, without its triggers.
        AppendOnly("label"),
    ]
